import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { CopyButton } from '../components/copy-button';
import { markdownWords } from '../i18n/markdown';
import { showText } from './plain-text';

export interface CodeBlockProps {
  readonly text: string;
  /** As written after the fence; '' where nothing is. */
  readonly language: string;
  /** The end has arrived, so it may be coloured. */
  readonly isClosed: boolean;
}

function whenIdle(work: () => void): () => void {
  // Safari has no idle callbacks
  if (typeof requestIdleCallback !== 'function') {
    const timer = setTimeout(work);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(work, { timeout: 500 });
  return () => cancelIdleCallback(handle);
}

/** Colours come with a chunk of their own; without it the code stays as it is. */
function colour(element: HTMLElement, text: string, language: string): () => void {
  let isCurrent = true;
  let cancel = (): void => undefined;
  import('./highlighter').then(
    ({ highlight }) => {
      if (!isCurrent) return;
      cancel = whenIdle(() => {
        const coloured = highlight(text, language);
        if (coloured !== null) element.replaceChildren(coloured);
      });
    },
    (thrown: unknown) => console.warn('tabmind could not fetch the colours of code.', thrown),
  );
  return () => {
    isCurrent = false;
    cancel();
  };
}

/** Code with its language, a button that copies it and one that wraps its lines. */
export function CodeBlock({ text, language, isClosed }: CodeBlockProps) {
  const code = useRef<HTMLElement>(null);
  const [isWrapped, setIsWrapped] = useState(false);
  const words = markdownWords.value;

  useLayoutEffect(() => {
    if (code.current !== null) showText(code.current, text);
  }, [text]);

  useEffect(() => {
    if (!isClosed || language === '' || code.current === null) return undefined;
    return colour(code.current, text, language);
  }, [text, language, isClosed]);

  return (
    <figure class="code-block" aria-label={language === '' ? words.code : words.codeIn(language)}>
      <figcaption class="code-head">
        <span class="code-language">{language}</span>
        <button
          type="button"
          class="code-wrap"
          aria-pressed={isWrapped}
          onClick={() => setIsWrapped(!isWrapped)}
        >
          {words.wrap}
        </button>
        <CopyButton text={() => text} label={words.copyCode} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reachable by keyboard. */}
      <pre class={isWrapped ? 'code-text code-text-wrapped' : 'code-text'} dir="ltr" tabIndex={0}>
        <code ref={code} />
      </pre>
    </figure>
  );
}
