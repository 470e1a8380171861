import { signal } from '@preact/signals';
import { type PromptRecord, PromptStore } from '../storage/prompt-store';

const store = new PromptStore();
const channel = new BroadcastChannel('tabmind-prompts');

/** The person's own prompts, the oldest first; null until they have been read. */
export const ownPrompts = signal<readonly PromptRecord[] | null>(null);

/** Reads them once, and again whenever another tab has changed them. Rejects with the storage's error. */
export async function loadPrompts(): Promise<void> {
  if (ownPrompts.value !== null) return;
  channel.onmessage = () => void reread().catch(warn);
  await reread();
}

function warn(thrown: unknown): void {
  console.warn('tabmind could not read the prompts.', thrown);
}

async function reread(): Promise<void> {
  ownPrompts.value = await store.list();
}

async function change(act: () => Promise<void>): Promise<void> {
  await act();
  channel.postMessage('changed');
  await reread();
}

/** Keeps a prompt: a new one, or another wording of `known`. Rejects with the storage's error. */
export function keepPrompt(name: string, text: string, known?: PromptRecord): Promise<void> {
  const made = { version: 1, id: crypto.randomUUID(), createdMs: Date.now() } as const;
  return change(() => store.put({ ...(known ?? made), name: name.trim(), text }));
}

/** Rejects with the storage's error. */
export function removePrompt(id: string): Promise<void> {
  return change(() => store.delete(id));
}

/** What an export holds. */
export const storedPrompts = (): Promise<readonly PromptRecord[]> => store.list();

/** Adds those that are not here, neither under their id nor word for word; resolves to how many that were. */
export async function addPrompts(prompts: readonly PromptRecord[]): Promise<number> {
  const here = await store.list();
  const missing = prompts.filter(
    ({ id, name, text }) => !here.some((one) => one.id === id || (one.name === name && one.text === text)),
  );
  if (missing.length > 0)
    await change(async () => {
      for (const prompt of missing) await store.put(prompt);
    });
  return missing.length;
}
