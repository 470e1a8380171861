import { TabmindError } from '../errors';
import { BlockAllocator } from '../kvcache/block-allocator';
import type { FinishReason } from '../protocol';
import type { StepRunner, TokenLogprob } from './batch';
import { defect } from './defect';
import { checkPriority } from './ranking';
import type { Completion, EngineCounts, EngineOptions, EngineRequest } from './request';
import { checkSamplingParams } from './sampling-params';
import { Scheduler } from './scheduler';
import { type Seat, Sequence } from './sequence';
import { Sessions } from './sessions';
import { Speculation } from './speculation';
import { checkStepsInFlight, type SampledToken, StepPipeline } from './step-pipeline';
import { StepTimes } from './step-times';

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
  readonly sessions: Sessions;
  readonly #runner: StepRunner;
  readonly #allocator: BlockAllocator;
  readonly #scheduler: Scheduler;
  readonly #eosTokenIds: readonly number[];
  readonly #now: () => number;
  readonly #requests = new Map<string, LiveRequest>();
  readonly #pipeline: StepPipeline;
  readonly #speculation: Speculation;
  /** Work that holds a lent place. */
  readonly #borrowed = new Set<Promise<unknown>>();
  /** Ends when there is no work left; null while idle. */
  #loop: Promise<void> | null = null;
  #closed = false;
  /** Why nothing can be computed any more. */
  #broken: TabmindError | null = null;
  #tokensGenerated = 0;

  constructor(runner: StepRunner, options: EngineOptions) {
    this.#runner = runner;
    const stepsInFlight = checkStepsInFlight(options.stepsInFlight);
    const now = options.now ?? (() => performance.now());
    const times = new StepTimes(MAX_ITL_GROWTH, runner.maxChunkTokens);
    const { draftsPay: pays } = options;
    const maxDraftTokens = runner.maxVerifiedRows - 1;
    const speculation = new Speculation({ maxDraftTokens, ...(pays && { pays }) });
    this.#now = now;
    this.#speculation = speculation;
    this.#eosTokenIds = options.eosTokenIds;
    this.#allocator = new BlockAllocator(options.numBlocks, options.blockTokens);
    const scheduler = new Scheduler(this.#allocator, {
      maxSlots: runner.maxSlots,
      contextLength: options.contextLength,
      maxSharedTokens: options.maxSharedTokens ?? Number.POSITIVE_INFINITY,
      maxChunkFor: (numRows, numPrompts) => times.maxChunkFor(numRows, numPrompts),
      draftFor: (sequence, room) => speculation.draftFor(sequence, room),
    });
    this.#scheduler = scheduler;
    this.sessions = new Sessions(scheduler.seating, this.#allocator, this.#borrowed, (id) =>
      scheduler.settle(id),
    );
    this.#pipeline = new StepPipeline({ runner, scheduler, times, speculation, stepsInFlight, now });
  }

  /**
   * Queues a request; resolves at its end, whatever ended it. Rejects with `bad-request` (a parameter out of range, an
   * empty prompt, an id in use), `context-full` (the prompt can never fit), `no-model` (closed), with what `onTokens`
   * threw, or with the runner's error.
   */
  async add(request: EngineRequest): Promise<Completion> {
    this.#check(request);
    const { id, promptIds, params } = request;
    const endIds = [...params.stopTokenIds, ...(params.ignoreEos ? [] : this.#eosTokenIds)];
    const sequence = new Sequence(id, promptIds, params, this.#now(), { ...request, endIds });
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

  /** Ranks a request anew among the others; false when there is no such live request. */
  setPriority(id: string, priority: number): boolean {
    checkPriority(priority);
    const live = this.#requests.get(id);
    if (live !== undefined) this.#scheduler.setPriority(live.sequence, priority);
    return live !== undefined;
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
    const seat = this.#closed ? null : this.#scheduler.seating.lend(numTokens);
    if (seat === null)
      throw new TabmindError('context-full', `There is no room for ${numTokens} tokens in the KV pool now.`, {
        remedy: 'Wait for the running answers, or load the model with a larger KV pool.',
        details: { numTokens },
      });
    const work = use(seat).finally(() => {
      this.#borrowed.delete(work);
      this.#scheduler.seating.takeBack(seat);
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
    const { seating } = this.#scheduler;
    const { numBlocks, numUsed, numCached, numFree } = this.#allocator;
    const { numTokens, numHit } = seating.promptTokens;
    const { numSubmitted, numTokens: numComputed } = this.#pipeline;
    const numKept = seating.numSessionBlocks;
    const { numDrafted, numAccepted } = this.#speculation.draftTokens;
    return {
      running: this.#scheduler.numRunning,
      waiting: this.#scheduler.numWaiting,
      kvBlocksTotal: numBlocks,
      kvBlocksUsed: numUsed - numKept,
      kvBlocksCached: numCached + numKept,
      kvBlocksFree: numFree - numCached,
      kvBlockTokens: this.#allocator.blockTokens,
      stepsSubmitted: numSubmitted,
      tokensGenerated: this.#tokensGenerated,
      tokensPerStep: numSubmitted > 0 ? numComputed / numSubmitted : 0,
      promptTokens: numTokens,
      prefixHitTokens: numHit,
      numPreemptions: this.#scheduler.numPreemptions,
      draftTokens: numDrafted,
      acceptedDraftTokens: numAccepted,
    };
  }

  /** Throws `internal` naming the first defect in the bookkeeping of slots, blocks and requests. */
  checkIntegrity(): void {
    this.#scheduler.checkIntegrity();
    const { live, numStepsInFlight } = this.#scheduler;
    if (live.length !== this.#requests.size || live.some(({ id }) => !this.#requests.has(id)))
      throw defect(`${this.#requests.size} requests are live but ${live.length} sequences are`);
    if (numStepsInFlight < this.#pipeline.numInFlight)
      throw defect(`${this.#pipeline.numInFlight} steps are in flight but ${numStepsInFlight} are counted`);
  }

  #check({ id, promptIds, params, priority = 0 }: EngineRequest): void {
    if (this.#closed)
      throw new TabmindError('no-model', 'The model was unloaded.', { remedy: 'Load a model first.' });
    if (this.#broken) throw this.#broken;
    checkSamplingParams(params);
    checkPriority(priority);
    if (promptIds.length === 0)
      throw new TabmindError('bad-request', 'The prompt is empty.', { remedy: 'Send at least one token.' });
    if (this.#requests.has(id))
      throw new TabmindError('bad-request', `Request ${id} is still running.`, {
        remedy: 'Give every request its own id.',
        details: { id },
      });
  }

  async #run(): Promise<void> {
    // Requests that come in the same task share the first step.
    await Promise.resolve();
    try {
      while (this.#requests.size > 0 || this.#pipeline.numInFlight > 0) {
        const failure = await this.#turn();
        if (failure?.code === 'steps-lost') await this.#startOver();
        else if (failure !== null) await this.#failAll(failure);
      }
    } finally {
      this.#loop = null;
    }
  }

  /** Submits what fits, then waits for the oldest step; returns what makes every request fail, or null. */
  async #turn(): Promise<TabmindError | null> {
    try {
      this.#pipeline.fill();
      const done = await this.#pipeline.next();
      if (done !== null) {
        this.#read(done);
        return null;
      }
      if (this.#requests.size === 0) return null;
      if (this.#borrowed.size === 0) return defect('requests wait but no step can be scheduled');
      await Promise.allSettled(this.#borrowed);
      return null;
    } catch (thrown) {
      return TabmindError.from(thrown);
    }
  }

  #read(tokens: readonly SampledToken[]): void {
    for (const { sequence, tokenId, logprob } of tokens) {
      // Surplus of a sequence that ended after this step was submitted: never part of the completion.
      if (sequence.status === 'finished') continue;
      sequence.append(tokenId, this.#now(), logprob);
      this.#tokensGenerated++;
      this.#advance(sequence, tokenId, logprob);
    }
  }

  /** Tells the request of its new token and ends it when this was the last. */
  #advance(sequence: Sequence, tokenId: number, logprob: TokenLogprob | null): void {
    const live = this.#requests.get(sequence.id);
    if (live === undefined) throw defect(`sequence ${sequence.id} has no request`);
    if (sequence.endIds.includes(tokenId)) {
      this.#complete(live, 'stop', tokenId);
      return;
    }
    try {
      live.request.onTokens?.([tokenId], logprob === null ? null : [logprob]);
    } catch (thrown) {
      this.#failCallback(live, thrown);
    }
    if (sequence.status !== 'finished' && this.#scheduler.isFull(sequence))
      this.#complete(live, 'length', null);
  }

  #complete(live: LiveRequest, reason: FinishReason, stopTokenId: number | null): void {
    const { sequence } = live;
    this.#end(live, reason);
    const timings = sequence.timings(this.#now());
    const { completionIds: ids, logprobs, numHitTokens } = sequence;
    live.resolve({ reason, ids, logprobs, stopTokenId, numHitTokens, timings });
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

  /** Steps have computed nothing that counts, but later ones can: everything that runs is computed again from its tokens. */
  async #startOver(): Promise<void> {
    await this.#pipeline.drain();
    this.#runner.recover();
    this.#scheduler.startOver();
  }

  /** Fails every request, then waits for the steps in flight, so that later requests start on a free pool. */
  async #failAll(error: TabmindError): Promise<void> {
    for (const live of this.#requests.values()) live.reject(error);
    for (const live of this.#requests.values()) this.#end(live, 'error');
    await this.#pipeline.drain();
    this.#scheduler.seating.forget();
  }
}

/**
 * How many times as long as without it a step may take because of a prompt chunk that joins it, on average: so nearly all of them
 * stay within twice.
 */
const MAX_ITL_GROWTH = 1.9;
