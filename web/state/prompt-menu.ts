import { computed, signal } from '@preact/signals';
import { chatWords } from '../i18n/chat';
import { draft } from './drafts';
import { folded } from './folding';
import { ownPrompts } from './prompts';

/** A prompt as it is offered. */
export interface OfferedPrompt {
  readonly key: string;
  readonly name: string;
  readonly text: string;
}

/** As many as fit without scrolling; typing on finds the others. */
const MAX_OFFERED = 7;
/** The slash, and what its key types in a Chinese input method. */
const START = /^[/／、]([^\n]{0,40})$/;

/** The draft for which the person closed the list. */
const closedFor = signal<string | null>(null);

/** What is typed behind the slash; null where the draft asks for no prompt. */
const wanted = computed(() => START.exec(draft.value)?.[1]?.trim() ?? null);

/** Someone began to ask for a prompt, so the own ones must be read. */
export const isPromptWanted = computed(() => wanted.value !== null);

/** Prompts that fit what is typed behind a slash at the start of the message, those that begin so first. */
export const offeredPrompts = computed<readonly OfferedPrompt[]>(() => {
  const typed = wanted.value;
  if (typed === null || closedFor.value === draft.value) return [];
  const own = (ownPrompts.value ?? []).map(({ id, name, text }) => ({ key: id, name, text }));
  const builtIn = chatWords.value.prompts.builtIn.map((prompt) => ({ key: prompt.name, ...prompt }));
  return promptsFor([...own, ...builtIn], typed).slice(0, MAX_OFFERED);
});

/** Those whose name holds `typed`, and those whose name begins with it before the others. */
export function promptsFor(prompts: readonly OfferedPrompt[], typed: string): readonly OfferedPrompt[] {
  const start = folded(typed);
  const places = prompts.map((prompt) => ({ prompt, at: folded(prompt.name).indexOf(start) }));
  const begin = places.filter(({ at }) => at === 0);
  const hold = places.filter(({ at }) => at > 0);
  return [...begin, ...hold].map(({ prompt }) => prompt);
}

/** Closes the list until something else is typed. */
export function closePromptMenu(): void {
  closedFor.value = draft.value;
}
