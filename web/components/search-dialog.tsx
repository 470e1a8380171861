import { useEffect, useRef, useState } from 'preact/hooks';
import { formatCount } from '../i18n/format';
import { historyWords } from '../i18n/history';
import { words } from '../i18n/locale';
import { isDrawerOpen } from '../state/dialog';
import { storedHeads } from '../state/heads';
import { openConversation } from '../state/history';
import { revealMessage } from '../state/reveal';
import { type Excerpt, type Hit, searchConversations } from '../state/search';
import { Dialog } from './dialog';

/** A pause in typing after which the search begins. */
const PAUSE_MS = 60;

function Marked({ excerpt }: { readonly excerpt: Excerpt }) {
  return (
    <span dir="auto">
      {excerpt.before}
      <mark>{excerpt.match}</mark>
      {excerpt.after}
    </span>
  );
}

/** Closing gives the focus back, so what is opened comes after it and may take the focus. */
function leave(button: HTMLElement, open: () => Promise<void>): void {
  button.closest('dialog')?.close();
  isDrawerOpen.value = false;
  void open();
}

/** A chat with the newest places in it; each place leads to its message. */
function HitItem({ hit }: { readonly hit: Hit }) {
  const { head, places } = hit;
  const [first, ...others] = places;
  const open = (message: string | undefined) => () =>
    message === undefined ? openConversation(head.id) : revealMessage(head.id, message);
  return (
    <li>
      <button type="button" class="hit" onClick={(event) => leave(event.currentTarget, open(first?.message))}>
        <strong dir="auto">{head.title || historyWords.value.unnamed}</strong>
        {first !== undefined && <Marked excerpt={first.excerpt} />}
      </button>
      {others.map(({ message, excerpt }) => (
        <button
          key={message}
          type="button"
          class="hit hit-more"
          onClick={(event) => leave(event.currentTarget, open(message))}
        >
          <Marked excerpt={excerpt} />
        </button>
      ))}
    </li>
  );
}

/** Looks through titles and texts; the arrow keys lead from the field into what was found. */
export function SearchDialog() {
  const text = historyWords.value.search;
  const list = useRef<HTMLUListElement>(null);
  const [wanted, setWanted] = useState('');
  const [hits, setHits] = useState<readonly Hit[] | 'failed'>([]);
  useEffect(() => {
    let isStale = false;
    const timer = setTimeout(() => {
      searchConversations(storedHeads(), wanted).then(
        (found) => !isStale && setHits(found),
        (thrown: unknown) => {
          console.warn('tabmind could not search the chats.', thrown);
          setHits('failed');
        },
      );
    }, PAUSE_MS);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [wanted]);
  const move = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.findIndex((button) => button.matches(':focus'));
    event.preventDefault();
    buttons[Math.max(0, at + (event.key === 'ArrowDown' ? 1 : -1))]?.focus();
  };
  const state =
    hits === 'failed'
      ? words.value.error.texts.storage.title
      : wanted.trim() === ''
        ? ''
        : hits.length === 0
          ? text.none
          : text.found(formatCount(hits.length));
  return (
    <Dialog name="search" title={text.title} class="dialog-search">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys are the buttons' own, heard on their way up. */}
      <div class="search" onKeyDown={move}>
        <input
          type="text"
          autofocus
          aria-label={text.label}
          placeholder={text.placeholder}
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
        <p class="hint" role="status">
          {state}
        </p>
        <ul ref={list} class="hits">
          {hits !== 'failed' && hits.map((hit) => <HitItem key={hit.head.id} hit={hit} />)}
        </ul>
      </div>
    </Dialog>
  );
}
