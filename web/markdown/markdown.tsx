import { effect, type ReadonlySignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { LiveText } from './live-text';

export interface MarkdownProps {
  /** A signal is read outside of rendering: its changes render no component. */
  readonly source: string | ReadonlySignal<string>;
  readonly isStreaming: boolean;
}

/** A text in markdown, complete or growing. Nothing in it can run, fetch or leave this element. */
export function Markdown({ source, isStreaming }: MarkdownProps) {
  const host = useRef<HTMLDivElement>(null);
  const live = useRef<LiveText | null>(null);

  useLayoutEffect(() => {
    if (host.current === null) return undefined;
    const text = new LiveText(host.current);
    live.current = text;
    return () => text.dispose();
  }, []);

  useLayoutEffect(
    () => effect(() => live.current?.update(typeof source === 'string' ? source : source.value, isStreaming)),
    [source, isStreaming],
  );

  return <div ref={host} class="answer-text" dir="auto" />;
}
