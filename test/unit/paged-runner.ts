import type {
  Batch,
  DecodeRow,
  PendingStep,
  PrefillBatch,
  SlotStart,
  StepRunner,
  TokenLogprob,
} from '../../src/engine/batch';
import type { SamplingParams } from '../../src/engine/sampling-params';
import { TabmindError } from '../../src/errors';

export interface PagedRunnerOptions {
  readonly numBlocks: number;
  readonly blockTokens: number;
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  readonly vocabSize: number;
  /** Default `nextId`. */
  readonly model?: Model;
  /** Turns of the event loop that the next wait takes. */
  readonly latency?: () => number;
  /** Runs at every submit, before the step is taken: may check, may throw. */
  readonly onSubmit?: (batch: Batch, numSubmitted: number) => void;
  /** Runs when a step is executed, in order: may throw, which loses the device. */
  readonly onExecute?: (batch: Batch, numExecuted: number) => void;
  readonly onStartSlot?: (slot: number) => void;
  /** Steps, by the order of execution, that are lost together with all behind them. */
  readonly lost?: readonly number[];
}

interface Slot {
  readonly params: SamplingParams;
  readonly numPromptTokens: number;
  readonly endIds: readonly number[];
  /** null until the first chunk. */
  position: number | null;
  token: number | null;
  /** What penalties and bad words go by: the ids from position 0, as the step state on the GPU holds them. */
  readonly ids: number[];
}

interface Sampled {
  readonly id: number;
  readonly logprob: TokenLogprob | null;
}

interface Executed {
  readonly ids: Uint32Array;
  readonly logprobs: readonly (TokenLogprob | null)[];
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

/** The id behind a history, below `vocabSize`. */
export type Model = (seed: number, history: readonly number[], vocabSize: number) => number;

/** What decides about the next id besides the tokens before it. */
export interface Choice {
  readonly params: SamplingParams;
  readonly numPromptTokens: number;
  readonly endIds: readonly number[];
}

/**
 * The model with all that a request may ask for: the most probable id that no rule bans, where an id is less probable the
 * more often it occurs in the completion.
 */
export function chooseId(
  choice: Choice,
  history: readonly number[],
  vocabSize: number,
  model: Model = nextId,
): number {
  const { params, numPromptTokens, endIds } = choice;
  const completion = history.slice(numPromptTokens);
  const isBanned = (id: number) =>
    params.logitBias.get(id) === -100 ||
    (completion.length < params.minTokens && endIds.includes(id)) ||
    params.badWords.some((word) => word.every((part, i) => part === [...history, id].at(i - word.length)));
  const first = model(params.seed, history, vocabSize);
  let [best, least] = [first, Number.POSITIVE_INFINITY];
  for (let step = 0; step < vocabSize; step++) {
    const id = (first + step) % vocabSize;
    const penalty = params.frequencyPenalty * completion.filter((other) => other === id).length;
    if (isBanned(id) || penalty >= least) continue;
    [best, least] = [id, penalty];
    if (penalty <= 0) break;
  }
  return best;
}

/** The logprob that the model gives an id behind a history. */
export function logprobOf(history: readonly number[], id: number): TokenLogprob {
  return { logprob: -nextId(id, history, 1000) / 100, top: [{ id, logprob: 0 }] };
}

/** A model that says the same again and again: mostly the next id follows from the last token alone. */
export function repeatingId(seed: number, history: readonly number[], vocabSize: number): number {
  const isSurprise = nextId(seed + 1, history, 16) === 0;
  return nextId(seed, isSurprise ? history : [(history.at(-1) ?? 0) % 6], vocabSize);
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
  readonly maxVerifiedRows: number;
  readonly batches: Batch[] = [];
  maxInFlight = 0;
  numRecoveries = 0;
  readonly #options: PagedRunnerOptions;
  readonly #memory: Uint32Array;
  readonly #slots = new Map<number, Slot>();
  readonly #inFlight = new Set<readonly Row[]>();
  #numSubmits = 0;
  #numExecuted = 0;
  /** Steps are lost until `recover`. */
  #isLosing = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: PagedRunnerOptions) {
    this.#options = options;
    this.maxSlots = options.maxSlots;
    this.maxChunkTokens = options.maxChunkTokens;
    this.maxVerifiedRows = Math.min(4, options.maxChunkTokens);
    this.#memory = new Uint32Array(options.numBlocks * options.blockTokens).fill(0xffffffff);
  }

  startSlot(slot: number, { params, tokenIds, numPromptTokens, endIds }: SlotStart): void {
    this.#options.onStartSlot?.(slot);
    for (const rows of this.#inFlight)
      if (rows.some((row) => row.slot === slot))
        throw new Error(`slot ${slot} started with a step in flight`);
    const ids = Array.from(tokenIds);
    this.#slots.set(slot, { params, numPromptTokens, endIds, position: null, token: null, ids });
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
      const place = this.#numExecuted++;
      this.#isLosing ||= this.#options.lost?.includes(place) === true;
      this.#options.onExecute?.(batch, place);
      if (this.#isLosing) this.#lose(rows);
      return this.#execute(batch);
    });
    // What comes behind lost steps runs; behind a lost device nothing does.
    this.#tail = executed.catch((thrown: unknown) => {
      if (!(thrown instanceof TabmindError) || thrown.code !== 'steps-lost') throw thrown;
    });
    this.#tail.catch(() => undefined);
    const readBack = async (): Promise<Executed> => {
      try {
        const result = await executed;
        await turns(this.#options.latency?.() ?? 1);
        return result;
      } finally {
        this.#inFlight.delete(rows);
      }
    };
    const done = readBack();
    const ids = done.then((result) => result.ids);
    return { ids, logprobs: done.then((result) => result.logprobs) };
  }

  recover(): void {
    if (this.#inFlight.size > 0) throw new Error('recovered with a step in flight');
    this.#isLosing = false;
    this.numRecoveries++;
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

  /** A step that leaves anything in the blocks that it writes. */
  #lose(rows: readonly Row[]): never {
    const { blockTokens } = this.#options;
    for (const block of rows.flatMap(({ written }) => written))
      this.#memory.fill(0xdeadbeef, block * blockTokens, (block + 1) * blockTokens);
    throw new TabmindError('steps-lost', 'lost');
  }

  #checkRows({ rows: decodeRows, prefills, copies }: Batch): readonly Row[] {
    const rows = decodeRows.map(({ slot, blockTable, position }) => this.#row(slot, blockTable, position, 1));
    let numChunkTokens = 0;
    for (const { slot, blockTable, startPosition, tokenIds } of prefills) {
      rows.push(this.#row(slot, blockTable, startPosition, tokenIds.length));
      numChunkTokens += tokenIds.length;
      if (tokenIds.length < 1 || numChunkTokens > this.maxChunkTokens)
        throw new Error(`a chunk of ${numChunkTokens} tokens`);
    }
    if (prefills.length > 1 && prefills.some(({ verifies }) => verifies))
      throw new Error('a draft beside a prompt');
    if (rows.length === 0 || new Set(rows.map(({ slot }) => slot)).size !== rows.length)
      throw new Error('a batch needs rows, each of its own slot');
    if (copies.some(({ to }) => !prefills.some(({ blockTable }) => blockTable.includes(to))))
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

  #execute({ copies, rows, prefills }: Batch): Executed {
    const { blockTokens } = this.#options;
    for (const { from, to } of copies)
      this.#memory.copyWithin(to * blockTokens, from * blockTokens, (from + 1) * blockTokens);
    const sampled = rows.map((row) => this.#decode(row));
    for (const prefill of prefills)
      sampled.push(...(prefill.verifies ? this.#verify(prefill) : this.#prefill(prefill)));
    return {
      ids: Uint32Array.from(sampled, ({ id }) => id),
      logprobs: sampled.map(({ logprob }) => logprob),
    };
  }

  #prefill({ slot: id, startPosition, tokenIds, blockTable, sample }: PrefillBatch): readonly Sampled[] {
    const slot = this.#slotOf(id);
    // The first chunk begins where another sequence's tokens end.
    slot.position ??= startPosition;
    if (slot.position !== startPosition || slot.token !== null)
      throw new Error(`a chunk at ${startPosition} for a slot at ${slot.position}`);
    this.#store(startPosition, tokenIds, blockTable);
    slot.position += tokenIds.length;
    return sample ? [this.#feed(slot, blockTable)] : [];
  }

  /** Samples behind every token of the draft; afterwards the slot knows neither its token nor its position. */
  #verify({ slot: id, startPosition, tokenIds, blockTable, sample }: PrefillBatch): readonly Sampled[] {
    const slot = this.#slotOf(id);
    if (sample || tokenIds.length < 2 || tokenIds.length > this.maxVerifiedRows)
      throw new Error(`a draft of ${tokenIds.length} tokens`);
    if (slot.token !== null && (slot.position !== startPosition || slot.token !== tokenIds[0]))
      throw new Error(`a draft at ${startPosition} for a slot at ${slot.position}`);
    this.#store(startPosition, tokenIds, blockTable);
    for (const [i, token] of tokenIds.entries()) slot.ids[startPosition + i] = token;
    slot.token = null;
    slot.position = null;
    return Array.from(tokenIds, (_, i) => this.#sample(slot, blockTable, startPosition + i + 1));
  }

  #decode({ slot: id, position, blockTable, tokenId }: DecodeRow): Sampled {
    const slot = this.#slotOf(id);
    if (tokenId !== null) {
      [slot.token, slot.position] = [tokenId, position];
      slot.ids[position] = tokenId;
    }
    if (slot.token === null) throw new Error(`slot ${id} decodes with no token of its own`);
    if (slot.position !== position) throw new Error(`position ${position} for a slot at ${slot.position}`);
    this.#store(position, [slot.token], blockTable);
    slot.position++;
    return this.#feed(slot, blockTable);
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

  #store(start: number, tokens: ArrayLike<number>, blockTable: readonly number[]): void {
    for (const [i, token] of Array.from(tokens).entries())
      this.#memory[this.#addressOf(start + i, blockTable)] = token;
  }

  #feed(slot: Slot, blockTable: readonly number[]): Sampled {
    const position = slot.position ?? 0;
    const sampled = this.#sample(slot, blockTable, position);
    slot.token = sampled.id;
    slot.ids[position] = sampled.id;
    return sampled;
  }

  /** The id behind `numTokens` tokens. */
  #sample(slot: Slot, blockTable: readonly number[], numTokens: number): Sampled {
    const history = Array.from(
      { length: numTokens },
      (_, i) => this.#memory[this.#addressOf(i, blockTable)] ?? -1,
    );
    if (history.some((token, i) => token !== slot.ids[i]))
      throw new Error('the ids that penalties go by are not those of the sequence');
    const id = chooseId(slot, history, this.#options.vocabSize, this.#options.model);
    return { id, logprob: slot.params.topLogprobs === null ? null : logprobOf(history, id) };
  }
}
