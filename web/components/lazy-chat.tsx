import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { Unreachable } from './unreachable';

type Chat = typeof import('./chat-parts');
type Part = { [Name in keyof Chat]: Chat[Name] extends FunctionComponent ? Name : never }[keyof Chat];

const chat = signal<Chat | 'unreachable' | null>(null);

/** All that a conversation needs comes right after the first paint, in a chunk of its own. */
export async function loadChat(): Promise<void> {
  try {
    const loaded = await import('./chat-parts');
    chat.value = loaded;
    loaded.startChat();
  } catch (thrown) {
    console.warn('tabmind could not fetch the chat.', thrown);
    chat.value = 'unreachable';
  }
}

/** One component of the chat, as soon as it is there. `isVital`: without it the page says what is missing. */
export function LazyChat({ part, isVital = false }: { readonly part: Part; readonly isVital?: boolean }) {
  const loaded = chat.value;
  if (loaded === null) return null;
  if (loaded !== 'unreachable') {
    const Component = loaded[part];
    return <Component />;
  }
  return isVital ? <Unreachable /> : null;
}
