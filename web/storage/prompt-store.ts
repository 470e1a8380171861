import { clear, createStore, del, set, type UseStore, values } from 'idb-keyval';
import * as v from 'valibot';

/** Loose, so that fields of a newer page survive being written by this one. */
const promptSchema = v.looseObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.minLength(1)),
  name: v.pipe(v.string(), v.minLength(1)),
  text: v.pipe(v.string(), v.minLength(1)),
  createdMs: v.pipe(v.number(), v.finite()),
});

/** A text that a person keeps to ask with. */
export type PromptRecord = v.InferOutput<typeof promptSchema>;

/** Null for anything that this version cannot read. */
export function readPrompt(value: unknown): PromptRecord | null {
  const parsed = v.safeParse(promptSchema, value);
  return parsed.success ? parsed.output : null;
}

/** Prompts in IndexedDB, each under its id. Methods reject with the browser's error. */
export class PromptStore {
  readonly #prompts: UseStore;

  constructor(name = 'tabmind-prompts') {
    this.#prompts = createStore(name, 'prompts');
  }

  /** The oldest first. */
  async list(): Promise<readonly PromptRecord[]> {
    const stored = await values<unknown>(this.#prompts);
    return stored
      .flatMap((value) => readPrompt(value) ?? [])
      .sort((one, other) => one.createdMs - other.createdMs || (one.id < other.id ? -1 : 1));
  }

  async put(prompt: PromptRecord): Promise<void> {
    await set(prompt.id, prompt, this.#prompts);
  }

  async delete(id: string): Promise<void> {
    await del(id, this.#prompts);
  }

  async clear(): Promise<void> {
    await clear(this.#prompts);
  }
}
