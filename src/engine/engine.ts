import { TabmindError } from '../errors';
import { BlockAllocator } from '../kvcache/block-allocator';
import type { EngineStats, FinishReason, Timings } from '../protocol';
import type { StepRunner } from './batch';
import { checkSamplingParams, type SamplingParams } from './sampling-params';
import { defect, type ScheduledStep, Scheduler } from './scheduler';
import { type Seat, Sequence } from './sequence';

export interface EngineOptions {
  /** Blocks of the KV pool; the pool on the GPU has the same number. */
  readonly numBlocks: number;
  /** Tokens in a block; a power of two. */
  readonly blockTokens: number;
  /** Longest sequence, prompt and completion together, in tokens. */
  readonly contextLength: number;
  /** Ids that end a completion unless the request ignores them. */
  readonly eosTokenIds: readonly number[];
  /** Steps submitted and not read back. Default 3; 1 waits for every token before the next step is submitted. */
  readonly stepsInFlight?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

export interface EngineRequest {
  /** Unique among the live requests. */
  readonly id: string;
  /** [numPromptTokens], at least one. */
  readonly promptIds: ArrayLike<number>;
  readonly params: SamplingParams;
  /**
   * Called with the new ids of the completion as they are read back, in order, the stop token left out. It may call
   * the engine. What it throws fails this request only.
   */
  readonly onTokens?: (ids: readonly number[]) => void;
}

export interface Completion {
  readonly reason: FinishReason;
  /** Every id of the completion, the stop token included. */
  readonly ids: readonly number[];
  /** The eos or stop id that ended it; null when something else did. */
  readonly stopTokenId: number | null;
  readonly timings: Timings;
}

/** The engine's share of the runtime's statistics. */
export type EngineCounts = Pick<
  EngineStats,
  | 'running'
  | 'waiting'
  | 'kvBlocksTotal'
  | 'kvBlocksUsed'
  | 'kvBlockTokens'
  | 'stepsSubmitted'
  | 'tokensGenerated'
> & { readonly numPreemptions: number };

/** How a submitted step ended; a value, not a rejection, because it may settle long before its turn to be read. */
type Outcome = { readonly ids: Uint32Array } | { readonly error: TabmindError };

interface LiveRequest {
  readonly request: EngineRequest;
  readonly sequence: Sequence;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: TabmindError) => void;
}

/**
 * Runs many sequences through one runner: schedule, submit, read back, over and over. Several steps are in flight at a
 * time, because the sampled id is fed back on the GPU; ids arrive late, and surplus ids of a sequence that has stopped
 * are dropped. The loop sleeps on the oldest step in flight and ends when there is no work.
 */
export class Engine {
  readonly #runner: StepRunner;
  readonly #allocator: BlockAllocator;
  readonly #scheduler: Scheduler;
  readonly #eosTokenIds: ReadonlySet<number>;
  readonly #maxStepsInFlight: number;
  readonly #now: () => number;
  readonly #requests = new Map<string, LiveRequest>();
  readonly #inFlight: { readonly step: ScheduledStep; readonly outcome: Promise<Outcome> }[] = [];
  /** Work that holds a lent place. */
  readonly #borrowed = new Set<Promise<unknown>>();
  /** Ends when there is no work left; null while idle. */
  #loop: Promise<void> | null = null;
  #closed = false;
  /** Why nothing can be computed any more. */
  #broken: TabmindError | null = null;
  #stepsSubmitted = 0;
  #tokensGenerated = 0;

  constructor(runner: StepRunner, options: EngineOptions) {
    const stepsInFlight = options.stepsInFlight ?? 3;
    if (!Number.isInteger(stepsInFlight) || stepsInFlight < 1)
      throw new TabmindError('bad-request', `stepsInFlight is ${stepsInFlight}; it must be 1 or more.`, {
        remedy: 'Leave it out, or use 2 to 4.',
      });
    this.#runner = runner;
    this.#maxStepsInFlight = stepsInFlight;
    this.#eosTokenIds = new Set(options.eosTokenIds);
    this.#now = options.now ?? (() => performance.now());
    this.#allocator = new BlockAllocator(options.numBlocks, options.blockTokens);
    this.#scheduler = new Scheduler(this.#allocator, {
      maxSlots: runner.maxSlots,
      maxChunkTokens: runner.maxChunkTokens,
      contextLength: options.contextLength,
    });
  }

  /**
   * Queues a request; resolves at its end, whatever ended it. Rejects with `bad-request` (a parameter out of range, an
   * empty prompt, an id in use), `context-full` (the prompt can never fit), `no-model` (closed), with what `onTokens`
   * threw, or with the runner's error.
   */
  async add(request: EngineRequest): Promise<Completion> {
    this.#check(request);
    const sequence = new Sequence(request.id, request.promptIds, request.params, this.#now());
    this.#scheduler.add(sequence);
    return new Promise((resolve, reject) => {
      this.#requests.set(request.id, { request, sequence, resolve, reject });
      this.#loop ??= this.#run();
    });
  }

  /** Ends a request now, in any state, with the ids read back so far; false when there is no such live request. */
  finish(id: string, reason: FinishReason): boolean {
    const live = this.#requests.get(id);
    if (live === undefined) return false;
    this.#complete(live, reason, null);
    return true;
  }

  /** `finish` with reason 'abort'. */
  abort(id: string): boolean {
    return this.finish(id, 'abort');
  }

  /** Nothing can be computed any more (the device is gone, or made an error): fails every request, now and later. */
  fail(error: TabmindError): void {
    this.#broken ??= error;
    for (const live of [...this.#requests.values()]) {
      this.#end(live, 'error');
      live.reject(error);
    }
  }

  /**
   * Lends a slot and blocks for `numTokens` tokens to work outside the scheduler (scoring); `use` must have waited for
   * its own steps when it resolves. Throws `context-full` when they are taken.
   */
  async borrow<T>(numTokens: number, use: (seat: Seat) => Promise<T>): Promise<T> {
    if (this.#broken) throw this.#broken;
    const seat = this.#closed ? null : this.#scheduler.lend(numTokens);
    if (seat === null)
      throw new TabmindError('context-full', `There is no room for ${numTokens} tokens in the KV pool now.`, {
        remedy: 'Wait for the running answers, or load the model with a larger KV pool.',
        details: { numTokens },
      });
    const work = use(seat).finally(() => {
      this.#borrowed.delete(work);
      this.#scheduler.takeBack(seat);
    });
    this.#borrowed.add(work);
    return work;
  }

  /** Aborts every request, accepts no more, and resolves when no step is in flight: buffers may then be destroyed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#requests.keys()]) this.abort(id);
    await this.#loop;
    await Promise.allSettled(this.#borrowed);
  }

  stats(): EngineCounts {
    return {
      running: this.#scheduler.numRunning,
      waiting: this.#scheduler.numWaiting,
      kvBlocksTotal: this.#allocator.numBlocks,
      kvBlocksUsed: this.#allocator.numUsed,
      kvBlockTokens: this.#allocator.blockTokens,
      stepsSubmitted: this.#stepsSubmitted,
      tokensGenerated: this.#tokensGenerated,
      numPreemptions: this.#scheduler.numPreemptions,
    };
  }

  /** Throws `internal` naming the first defect in the bookkeeping of slots, blocks and requests. */
  checkIntegrity(): void {
    this.#scheduler.checkIntegrity();
    const { live, numStepsInFlight } = this.#scheduler;
    if (live.length !== this.#requests.size || live.some(({ id }) => !this.#requests.has(id)))
      throw defect(`${this.#requests.size} requests are live but ${live.length} sequences are`);
    if (numStepsInFlight < this.#inFlight.length)
      throw defect(`${this.#inFlight.length} steps are in flight but ${numStepsInFlight} are counted`);
  }

  #check({ id, promptIds, params }: EngineRequest): void {
    if (this.#closed)
      throw new TabmindError('no-model', 'The model was unloaded.', { remedy: 'Load a model first.' });
    if (this.#broken) throw this.#broken;
    checkSamplingParams(params);
    if (promptIds.length === 0)
      throw new TabmindError('bad-request', 'The prompt is empty.', { remedy: 'Send at least one token.' });
    if (this.#requests.has(id))
      throw new TabmindError('bad-request', `Request ${id} is still running.`, {
        remedy: 'Give every request its own id.',
        details: { id },
      });
  }

  async #run(): Promise<void> {
    // Off the caller's stack: `add` only queues, and requests added together are seen together.
    await Promise.resolve();
    try {
      while (this.#requests.size > 0 || this.#inFlight.length > 0) {
        const failure = await this.#turn();
        if (failure !== null) await this.#failAll(failure);
      }
    } finally {
      this.#loop = null;
    }
  }

  /** Submits what fits, then waits for the oldest step; returns what makes every request fail, or null. */
  async #turn(): Promise<TabmindError | null> {
    try {
      this.#fill();
      const oldest = this.#inFlight[0];
      if (oldest === undefined) {
        if (this.#requests.size === 0) return null;
        if (this.#borrowed.size === 0) return defect('requests wait but no step can be scheduled');
        await Promise.allSettled(this.#borrowed);
        return null;
      }
      const outcome = await oldest.outcome;
      this.#inFlight.shift();
      this.#scheduler.retire(oldest.step);
      if ('error' in outcome) return outcome.error;
      this.#read(oldest.step, outcome.ids);
      return null;
    } catch (thrown) {
      return TabmindError.from(thrown);
    }
  }

  #fill(): void {
    while (this.#inFlight.length < this.#maxStepsInFlight) {
      const step = this.#scheduler.schedule(this.#now());
      if (step === null) return;
      this.#inFlight.push({ step, outcome: this.#submit(step) });
      this.#stepsSubmitted++;
    }
  }

  /** Throws what the runner throws at once: no later step may be submitted on top of one that was not. */
  #submit(step: ScheduledStep): Promise<Outcome> {
    const { batch, admitted } = step;
    try {
      if (admitted?.seat) this.#runner.startSlot(admitted.seat.slot, admitted.params, admitted.tokenIds);
      return this.#runner.submit(batch).ids.then(
        (ids) => ({ ids }),
        (thrown: unknown) => ({ error: TabmindError.from(thrown) }),
      );
    } catch (thrown) {
      this.#scheduler.retire(step);
      throw thrown;
    }
  }

  #read(step: ScheduledStep, ids: Uint32Array): void {
    const numExpected = step.sequences.length * step.numSampled;
    if (ids.length !== numExpected)
      throw defect(`a ${step.batch.phase} step gave ${ids.length} ids, not ${numExpected}`);
    for (const [row, tokenId] of ids.entries()) {
      const sequence = step.sequences[row];
      // Surplus of a sequence that ended after this step was submitted: never part of the completion.
      if (sequence === undefined || sequence.status === 'finished') continue;
      sequence.append(tokenId, this.#now());
      this.#tokensGenerated++;
      this.#advance(sequence, tokenId);
    }
  }

  /** Tells the request of its new token and ends it when this was the last. */
  #advance(sequence: Sequence, tokenId: number): void {
    const live = this.#requests.get(sequence.id);
    if (live === undefined) throw defect(`sequence ${sequence.id} has no request`);
    if (this.#isStop(sequence.params, tokenId)) {
      this.#complete(live, 'stop', tokenId);
      return;
    }
    try {
      live.request.onTokens?.([tokenId]);
    } catch (thrown) {
      this.#failCallback(live, thrown);
    }
    if (sequence.status !== 'finished' && this.#scheduler.isFull(sequence))
      this.#complete(live, 'length', null);
  }

  #isStop(params: SamplingParams, tokenId: number): boolean {
    return params.stopTokenIds.includes(tokenId) || (!params.ignoreEos && this.#eosTokenIds.has(tokenId));
  }

  #complete(live: LiveRequest, reason: FinishReason, stopTokenId: number | null): void {
    const { sequence } = live;
    this.#end(live, reason);
    const timings = sequence.timings(this.#now());
    live.resolve({ reason, ids: sequence.completionIds, stopTokenId, timings });
  }

  #failCallback(live: LiveRequest, thrown: unknown): void {
    if (live.sequence.status === 'finished') {
      // It ended its own request before it threw, so nobody awaits the error any more: it must still be seen.
      queueMicrotask(() => {
        throw thrown;
      });
      return;
    }
    this.#end(live, 'error');
    live.reject(TabmindError.from(thrown));
  }

  #end(live: LiveRequest, reason: FinishReason | 'error'): void {
    this.#scheduler.finish(live.sequence, reason, this.#now());
    this.#requests.delete(live.sequence.id);
  }

  /** Fails every request, then waits for the steps in flight, so that later requests start on a free pool. */
  async #failAll(error: TabmindError): Promise<void> {
    for (const live of this.#requests.values()) live.reject(error);
    for (const live of this.#requests.values()) this.#end(live, 'error');
    for (const { step, outcome } of this.#inFlight.splice(0)) {
      await outcome;
      this.#scheduler.retire(step);
    }
  }
}
