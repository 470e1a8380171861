import { useEffect, useRef, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { words } from '../i18n/locale';
import { openId, path } from '../state/conversation';
import { revealed } from '../state/reveal';
import { showFound, turnId } from './found-turn';
import { IconButton } from './icon-button';
import { AnswerTurn, QuestionTurn } from './turn';

/** Within this many pixels of the end, the view follows new text. */
const STICKY_PX = 48;
/** Messages that are drawn at first, and with every step back: a chat of thousands opens as fast as a short one. */
const SHOWN_STEP = 60;

/** A new conversation begins at its end, whatever was read of the one before. */
export function Transcript() {
  return <Scroller key={openId.value} />;
}

/** It follows the newest line until the reader scrolls up, and offers the way back down. */
function Scroller() {
  const scroller = useRef<HTMLElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const sticky = useRef(true);
  const letGo = useRef(() => {});
  const [isAway, setIsAway] = useState(false);
  const [numShown, setNumShown] = useState(SHOWN_STEP);
  const turns = path.value;
  const last = turns.at(-1)?.id;
  const hidden = Math.max(0, turns.length - numShown);

  const toLatest = (behavior: ScrollBehavior): void => {
    sticky.current = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior });
  };

  // A question of one's own always scrolls into view, also after reading further up; so does a branch that is switched to.
  useEffect(() => toLatest('instant'), [last]);

  const target = revealed.value;
  useEffect(() => {
    const at = target === null ? -1 : turns.findIndex(({ id }) => id === target.message);
    if (target === null || at === -1 || scroller.current === null || content.current === null) return;
    // some of what comes before it is drawn as well
    const numNeeded = turns.length - at + SHOWN_STEP / 2;
    if (numShown < numNeeded) return setNumShown(numNeeded);
    const turn = document.getElementById(turnId(target.message));
    if (turn === null) return;
    revealed.value = null;
    sticky.current = false;
    letGo.current();
    letGo.current = showFound(turn, scroller.current, content.current);
  }, [target, turns, numShown]);
  useEffect(() => () => letGo.current(), []);

  useEffect(() => {
    if (content.current === null) return;
    const observer = new ResizeObserver(() => {
      if (sticky.current)
        scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: 'instant' });
    });
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  const onScroll = (): void => {
    if (scroller.current === null) return;
    const { scrollHeight, scrollTop, clientHeight } = scroller.current;
    sticky.current = scrollHeight - scrollTop - clientHeight < STICKY_PX;
    setIsAway(!sticky.current);
  };

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
          {hidden > 0 && (
            <button
              type="button"
              class="button button-quiet earlier"
              onClick={() => setNumShown(numShown + SHOWN_STEP)}
            >
              {chatWords.value.turn.earlier}
            </button>
          )}
          {turns
            .slice(hidden)
            .map((turn) =>
              turn.role === 'user' ? (
                <QuestionTurn key={turn.id} turn={turn} />
              ) : (
                <AnswerTurn key={turn.id} turn={turn} />
              ),
            )}
        </div>
      </section>
      {isAway && (
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
