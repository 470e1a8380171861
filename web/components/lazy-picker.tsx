import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { Unreachable } from './unreachable';

type Picker = typeof import('./picker');
type Part = { [Name in keyof Picker]: Picker[Name] extends FunctionComponent ? Name : never }[keyof Picker];

const picker = signal<Picker | 'unreachable' | null>(null);

/** Choosing models is not needed for the first paint, so it comes in a chunk of its own. */
export async function loadPicker(): Promise<void> {
  try {
    picker.value = await import('./picker');
  } catch (thrown) {
    console.warn('tabmind could not fetch the model picker.', thrown);
    picker.value = 'unreachable';
  }
}

/** One component of the picker, as soon as it is there. */
export function LazyPicker({ part }: { readonly part: Part }) {
  const loaded = picker.value;
  if (loaded === null) return null;
  if (loaded !== 'unreachable') {
    const Component = loaded[part];
    return <Component />;
  }
  // without it nothing can be dropped, which needs no words
  return part === 'DropTarget' ? null : <Unreachable />;
}
