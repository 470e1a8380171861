import type { Batch, DecodeRow, PendingStep, StepRunner } from '../../src/engine/batch';
import type { SamplingParams } from '../../src/engine/sampling-params';

export interface PagedRunnerOptions {
  readonly numBlocks: number;
  readonly blockTokens: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly vocabSize: number;
  /** Turns of the event loop that the next wait takes. */
  readonly latency?: () => number;
  /** Runs at every submit, before the step is taken: may check, may throw. */
  readonly onSubmit?: (batch: Batch, numSubmitted: number) => void;
  /** Runs when a step is executed, in order: may throw, which loses the device. */
  readonly onExecute?: (batch: Batch, numExecuted: number) => void;
  readonly onStartSlot?: (slot: number) => void;
}

interface Slot {
  readonly seed: number;
  /** null until the first chunk. */
  position: number | null;
  token: number | null;
  /** Sum of the ids that a repetition penalty would count as seen. */
  seenSum: number;
}

interface Row {
  readonly slot: number;
  readonly blockIds: readonly number[];
  /** Blocks that the step writes for this row. */
  readonly written: readonly number[];
}

/** Lets the event loop turn `numTurns` times. */
export async function turns(numTurns: number): Promise<void> {
  for (let i = 0; i < numTurns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The model: the next id follows from the seed and every token before it. */
export function nextId(seed: number, history: readonly number[], vocabSize: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const token of history) {
    hash = Math.imul(hash ^ token, 0x01000193);
    hash ^= hash >>> 15;
  }
  return (hash >>> 0) % vocabSize;
}

/**
 * A StepRunner whose model sees its tokens only through the blocks: tokens are stored into paged memory at the places
 * that the block tables name, and the next id is a hash of what is read back through them. A wrong block, position,
 * order, token or seed changes the ids; so does a shared block that holds anything else than it should. Steps execute one
 * after another, late; ids come back later still. Slots are started at once, not in order, so that starting one with a
 * step in flight shows.
 */
export class PagedRunner implements StepRunner {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly batches: Batch[] = [];
  maxInFlight = 0;
  readonly #options: PagedRunnerOptions;
  readonly #memory: Uint32Array;
  readonly #slots = new Map<number, Slot>();
  readonly #inFlight = new Set<readonly Row[]>();
  #numSubmits = 0;
  #numExecuted = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: PagedRunnerOptions) {
    this.#options = options;
    this.maxSlots = options.maxSlots;
    this.maxChunkTokens = options.maxChunkTokens;
    this.#memory = new Uint32Array(options.numBlocks * options.blockTokens).fill(0xffffffff);
  }

  startSlot(slot: number, params: SamplingParams, seenIds: ArrayLike<number>): void {
    this.#options.onStartSlot?.(slot);
    for (const rows of this.#inFlight)
      if (rows.some((row) => row.slot === slot))
        throw new Error(`slot ${slot} started with a step in flight`);
    const seenSum = Array.from(seenIds).reduce((sum, token) => sum + token, 0);
    this.#slots.set(slot, { seed: params.seed, position: null, token: null, seenSum });
  }

  submit(live: Batch): PendingStep {
    const batch = structuredClone(live);
    const rows = this.#checkRows(batch);
    this.#options.onSubmit?.(batch, this.#numSubmits++);
    this.batches.push(batch);
    this.#inFlight.add(rows);
    this.maxInFlight = Math.max(this.maxInFlight, this.#inFlight.size);
    const executed = this.#tail.then(async () => {
      await turns(this.#options.latency?.() ?? 1);
      this.#options.onExecute?.(batch, this.#numExecuted++);
      return this.#execute(batch);
    });
    this.#tail = executed;
    const readBack = async (): Promise<Uint32Array> => {
      try {
        const ids = await executed;
        await turns(this.#options.latency?.() ?? 1);
        return ids;
      } finally {
        this.#inFlight.delete(rows);
      }
    };
    return { ids: readBack() };
  }

  /** Tokens that lie in blocks now. */
  readBlocks(blockIds: readonly number[]): Uint32Array {
    const { blockTokens } = this.#options;
    const words = blockIds.flatMap((block) => [
      ...this.#memory.subarray(block * blockTokens, (block + 1) * blockTokens),
    ]);
    return Uint32Array.from(words);
  }

  writeBlocks(blockIds: readonly number[], words: Uint32Array): void {
    const { blockTokens } = this.#options;
    for (const [i, block] of blockIds.entries())
      this.#memory.set(words.subarray(i * blockTokens, (i + 1) * blockTokens), block * blockTokens);
  }

  #checkRows({ rows: decodeRows, prefill, copies }: Batch): readonly Row[] {
    const rows = decodeRows.map(({ slot, blockTable, position }) => this.#row(slot, blockTable, position, 1));
    if (prefill !== null) {
      const { slot, blockTable, startPosition, tokenIds } = prefill;
      rows.push(this.#row(slot, blockTable, startPosition, tokenIds.length));
      if (!(tokenIds.length >= 1 && tokenIds.length <= this.maxChunkTokens))
        throw new Error(`a chunk of ${tokenIds.length} tokens`);
    }
    if (rows.length === 0 || new Set(rows.map(({ slot }) => slot)).size !== rows.length)
      throw new Error('a batch needs rows, each of its own slot');
    if (copies.some(({ to }) => prefill?.blockTable.includes(to) !== true))
      throw new Error('a block is copied that is not for the chunk');
    for (const row of rows) {
      if (!(row.slot >= 0 && row.slot < this.maxSlots)) throw new Error(`slot ${row.slot} does not exist`);
      for (const other of [rows, ...this.#inFlight].flat())
        if (other.slot !== row.slot && row.written.some((block) => other.blockIds.includes(block)))
          throw new Error(`slot ${row.slot} writes a block of slot ${other.slot}, in flight`);
    }
    return rows;
  }

  #row(slot: number, blockIds: readonly number[], position: number, numTokens: number): Row {
    const { blockTokens } = this.#options;
    const end = Math.ceil((position + numTokens) / blockTokens);
    return { slot, blockIds, written: blockIds.slice(Math.floor(position / blockTokens), end) };
  }

  #execute({ copies, rows, prefill }: Batch): Uint32Array {
    const { blockTokens } = this.#options;
    for (const { from, to } of copies)
      this.#memory.copyWithin(to * blockTokens, from * blockTokens, (from + 1) * blockTokens);
    const ids = rows.map((row) => this.#decode(row));
    if (prefill === null) return Uint32Array.from(ids);
    const slot = this.#slotOf(prefill.slot);
    // The first chunk begins where another sequence's tokens end.
    slot.position ??= prefill.startPosition;
    if (slot.position !== prefill.startPosition || slot.token !== null)
      throw new Error(`a chunk at ${prefill.startPosition} for a slot at ${slot.position}`);
    this.#store(slot, prefill.tokenIds, prefill.blockTable);
    if (prefill.sample) ids.push(this.#sample(slot, prefill.blockTable));
    return Uint32Array.from(ids);
  }

  #decode({ slot: id, position, blockTable }: DecodeRow): number {
    const slot = this.#slotOf(id);
    if (slot.token === null) throw new Error(`slot ${id} decodes before its prompt is done`);
    if (slot.position !== position) throw new Error(`position ${position} for a slot at ${slot.position}`);
    this.#store(slot, [slot.token], blockTable);
    return this.#sample(slot, blockTable);
  }

  #slotOf(id: number): Slot {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new Error(`slot ${id} was never started`);
    return slot;
  }

  #addressOf(position: number, blockTable: readonly number[]): number {
    const { blockTokens } = this.#options;
    const block = blockTable[Math.floor(position / blockTokens)];
    if (block === undefined) throw new Error(`position ${position} is not covered by its block table`);
    return block * blockTokens + (position % blockTokens);
  }

  #store(slot: Slot, tokens: ArrayLike<number>, blockTable: readonly number[]): void {
    let position = slot.position ?? 0;
    for (const token of Array.from(tokens)) this.#memory[this.#addressOf(position++, blockTable)] = token;
    slot.position = position;
  }

  #sample(slot: Slot, blockTable: readonly number[]): number {
    const history = Array.from(
      { length: slot.position ?? 0 },
      (_, i) => this.#memory[this.#addressOf(i, blockTable)] ?? -1,
    );
    if (history.reduce((sum, token) => sum + token, 0) !== slot.seenSum)
      throw new Error('the tokens counted as seen are not those of the sequence');
    slot.token = nextId(slot.seed, history, this.#options.vocabSize);
    slot.seenSum += slot.token;
    return slot.token;
  }
}
