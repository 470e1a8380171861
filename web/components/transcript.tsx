import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { words } from '../i18n/locale';
import { openId, path } from '../state/conversation';
import type { Message } from '../state/message';
import { revealed } from '../state/reveal';
import { AT_END, type TurnWindow, turnsIn, windowAround, withEarlier, withLater } from '../state/turn-window';
import { showFound, turnId } from './found-turn';
import { IconButton } from './icon-button';
import { AnswerTurn, QuestionTurn } from './turn';

/** Within this many pixels of the end, the view follows new text. */
const STICKY_PX = 48;

/** A new conversation begins at its end, whatever was read of the one before. */
export function Transcript() {
  return <Scroller key={openId.value} />;
}

interface View {
  readonly scroller: RefObject<HTMLElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  /** The view follows the end. */
  readonly sticky: { current: boolean };
}

function scrollToEnd({ scroller }: View, behavior: ScrollBehavior): void {
  scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior });
}

/** While the view is sticky, what grows does not move its end out of sight. */
function useFollowing(view: View): void {
  useEffect(() => {
    if (view.content.current === null) return;
    const observer = new ResizeObserver(() => {
      if (view.sticky.current) scrollToEnd(view, 'instant');
    });
    observer.observe(view.content.current);
    return () => observer.disconnect();
  }, []);
}

/** Draws and shows the message that the reader asked for, wherever in the branch it stands. */
function useRevealing(view: View, window: TurnWindow, setWindow: (window: TurnWindow) => void): void {
  const letGo = useRef(() => {});
  const target = revealed.value;
  const turns = path.value;
  useEffect(() => {
    const at = target === null ? -1 : turns.findIndex(({ id }) => id === target.message);
    const { scroller, content, sticky } = view;
    if (target === null || at === -1 || scroller.current === null || content.current === null) return;
    sticky.current = false;
    const around = windowAround(window, at, turns.length);
    // shown once it is drawn
    if (around !== window) return setWindow(around);
    const turn = document.getElementById(turnId(target.message));
    if (turn === null) return;
    revealed.value = null;
    letGo.current();
    letGo.current = showFound(turn, scroller.current, content.current);
  }, [target, turns, window]);
  useEffect(() => () => letGo.current(), []);
}

function More({ label, onClick }: { readonly label: string; readonly onClick: () => void }) {
  return (
    <button type="button" class="button button-quiet earlier" onClick={onClick}>
      {label}
    </button>
  );
}

function Turn({ turn }: { readonly turn: Message }) {
  return turn.role === 'user' ? <QuestionTurn turn={turn} /> : <AnswerTurn turn={turn} />;
}

/** It follows the newest line until the reader scrolls up, and offers the way back down. */
function Scroller() {
  const scroller = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticky = useRef(true);
  const view: View = { scroller, content, sticky };
  const [isAway, setIsAway] = useState(false);
  const [window, setWindow] = useState(AT_END);
  const turns = path.value;
  const last = turns.at(-1)?.id;
  const { turn: text } = chatWords.value;

  const toLatest = (behavior: ScrollBehavior): void => {
    sticky.current = true;
    // what is drawn anew is followed to its end
    if (window.numLater > 0) setWindow(AT_END);
    scrollToEnd(view, behavior);
  };
  const onScroll = (): void => {
    if (scroller.current === null) return;
    const { scrollHeight, scrollTop, clientHeight } = scroller.current;
    sticky.current = window.numLater === 0 && scrollHeight - scrollTop - clientHeight < STICKY_PX;
    setIsAway(!sticky.current);
  };
  // A question of one's own always scrolls into view, also after reading further up; so does a branch that is switched to.
  useEffect(() => toLatest('instant'), [last]);
  useRevealing(view, window, setWindow);
  useFollowing(view);

  return (
    <div class="transcript-frame">
      <section
        ref={scroller}
        class="transcript"
        aria-label={words.value.chat.region}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
        tabIndex={0}
        onScroll={onScroll}
      >
        <div ref={content} class="transcript-content">
          {turns.length > window.numShown && (
            <More label={text.earlier} onClick={() => setWindow(withEarlier(window))} />
          )}
          {turnsIn(window, turns).map((turn) => (
            <Turn key={turn.id} turn={turn} />
          ))}
          {window.numLater > 0 && <More label={text.later} onClick={() => setWindow(withLater(window))} />}
        </div>
      </section>
      {(isAway || window.numLater > 0) && (
        <IconButton
          icon="arrowDown"
          label={words.value.chat.latest}
          onClick={() => toLatest('smooth')}
          class="to-latest"
        />
      )}
    </div>
  );
}
