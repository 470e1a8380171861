import { computed, signal } from '@preact/signals';
import { chatWords } from '../i18n/chat';
import { draft, setDraft } from './drafts';
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

/** Where the arrow keys went while this draft stood; any other draft begins at the first. */
const moved = signal({ draft: '', index: 0 });

/** Place of the prompt that Enter takes. */
export const chosenIndex = computed(() => (moved.value.draft === draft.value ? moved.value.index : 0));

/** Goes to the next prompt, or the one before (-1), round and round. */
export function moveChoice(step: 1 | -1): void {
  const count = offeredPrompts.value.length;
  moved.value = { draft: draft.value, index: (chosenIndex.value + step + count) % count };
}

/** The text takes the place of what was typed. */
export function takePrompt({ text }: OfferedPrompt): void {
  setDraft(text);
}

/** Closes the list until something else is typed. */
export function closePromptMenu(): void {
  closedFor.value = draft.value;
}

/** To be run with every change of the draft: the same start typed once more opens the list again. */
export function forgetClosing(): void {
  if (closedFor.peek() !== draft.value) closedFor.value = null;
}
