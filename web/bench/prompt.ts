/** Random token ids, the same for the same seed; every call goes on, so that no prompt begins like another. */
export class Prompts {
  readonly #vocabSize: number;
  #state: number;

  constructor(vocabSize: number, seed: number) {
    this.#vocabSize = vocabSize;
    this.#state = seed >>> 0;
  }

  next(numTokens: number): readonly number[] {
    return Array.from({ length: numTokens }, () => Math.floor(this.#uniform() * this.#vocabSize));
  }

  /** mulberry32 */
  #uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}
