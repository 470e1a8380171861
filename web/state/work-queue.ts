/** Work in turn: each piece begins when all that was asked for before has ended, well or not. */
export class WorkQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves or rejects as `work` does; those that wait behind it take no notice of its failure. */
  add<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when all that was asked for so far has ended. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
