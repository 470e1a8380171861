import { TabmindError } from '../errors';
import type { BlockTable } from '../kvcache/block-allocator';
import type { FinishReason, Timings } from '../protocol';
import type { TokenLogprob } from './batch';
import { defect } from './defect';
import type { SamplingParams } from './sampling-params';
import { TokenTimes } from './token-times';

export type SequenceStatus = 'waiting' | 'prefilling' | 'running' | 'finished';

/** A sequence's place on the GPU. */
export interface Seat {
  readonly slot: number;
  readonly blockTable: BlockTable;
}

export interface SequenceOptions {
  readonly priority?: number;
  readonly session?: string;
  readonly shares?: boolean;
  /** Ids that end it. */
  readonly endIds?: readonly number[];
}

/**
 * One prompt and its completion. The token ids are the truth: everything on the GPU can be computed again from them.
 * Steps are submitted ahead of the ids that are read back, so three counts differ: `tokenIds.length` (known here),
 * `numScheduled` (sampled by submitted steps, not read back yet) and `numComputed` (positions whose K/V is submitted).
 */
export class Sequence {
  readonly id: string;
  readonly params: SamplingParams;
  readonly numPromptTokens: number;
  /** Larger goes first. Lists are kept by it: see `Scheduler.setPriority`. */
  priority: number;
  /** Keeps its blocks under this id when it ends; null: they are free then. */
  readonly session: string | null;
  /** False: it shares no blocks with others. */
  readonly shares: boolean;
  readonly endIds: readonly number[];
  readonly #tokenIds: number[];
  readonly #logprobs: TokenLogprob[] = [];
  #order = 0;
  #numOvertaken = 0;
  #status: SequenceStatus = 'waiting';
  #seat: Seat | null = null;
  #numComputed = 0;
  #numScheduled = 0;
  #numStepsInFlight = 0;
  #numHitTokens: number | null = null;
  #canShare = false;
  #finishReason: FinishReason | 'error' | null = null;
  readonly #times: TokenTimes;
  /** The slot on the GPU does not know the last token: it came from a draft. */
  #isStale = false;
  #numDrafted = 0;
  #numAccepted = 0;

  /** `promptIds`: [numPromptTokens], copied. `arrivalMs`: time of arrival on the engine's clock. */
  constructor(
    id: string,
    promptIds: ArrayLike<number>,
    params: SamplingParams,
    arrivalMs: number,
    options: SequenceOptions = {},
  ) {
    this.id = id;
    this.params = params;
    this.numPromptTokens = promptIds.length;
    this.#times = new TokenTimes(arrivalMs);
    this.priority = options.priority ?? 0;
    this.session = options.session ?? null;
    this.shares = options.shares ?? true;
    this.endIds = options.endIds ?? [];
    this.#tokenIds = Array.from(promptIds);
  }

  /** Prompt, then completion as far as it has been read back. */
  get tokenIds(): readonly number[] {
    return this.#tokenIds;
  }

  get completionIds(): readonly number[] {
    return this.#tokenIds.slice(this.numPromptTokens);
  }

  /** Of the completion; null when the request did not ask for them. */
  get logprobs(): readonly TokenLogprob[] | null {
    return this.params.topLogprobs === null ? null : this.#logprobs;
  }

  get status(): SequenceStatus {
    return this.#status;
  }

  /** Slot and blocks; null while waiting and after release. */
  get seat(): Seat | null {
    return this.#seat;
  }

  /** Positions whose keys and values submitted steps have written or will write. */
  get numComputed(): number {
    return this.#numComputed;
  }

  /** Tokens that submitted steps sample and that have not been read back. */
  get numScheduled(): number {
    return this.#numScheduled;
  }

  get numStepsInFlight(): number {
    return this.#numStepsInFlight;
  }

  /** Place in the order of arrival. */
  get order(): number {
    return this.#order;
  }

  /** How often a later sequence was admitted first. */
  get numOvertaken(): number {
    return this.#numOvertaken;
  }

  /** Prompt tokens that other sequences had computed when this one was first admitted. */
  get numHitTokens(): number {
    return this.#numHitTokens ?? 0;
  }

  /** When it was first admitted; null before. */
  get prefillStartMs(): number | null {
    return this.#times.prefillStartMs;
  }

  /** False when its keys depend on more than the tokens before them. */
  get canShare(): boolean {
    return this.#canShare;
  }

  /** Tokens whose keys and values submitted steps write, and that are known here. */
  get numSettled(): number {
    return Math.min(this.#numComputed, this.#tokenIds.length);
  }

  /** 'error' when the runner failed it. */
  get finishReason(): FinishReason | 'error' | null {
    return this.#finishReason;
  }

  /** Joins the queue for the first time, as number `order`. */
  arrive(order: number): void {
    this.#expect('waiting');
    this.#order = order;
  }

  overtake(): void {
    this.#numOvertaken++;
  }

  /** Takes a place on the GPU; prefill starts behind the `numHitTokens` that its blocks hold already. */
  admit(seat: Seat, nowMs: number, numHitTokens = 0, canShare = true): void {
    this.#expect('waiting');
    if (numHitTokens >= this.#tokenIds.length) throw this.#defect('has no token left to compute');
    this.#seat = seat;
    this.#status = 'prefilling';
    this.#numComputed = numHitTokens;
    this.#canShare = canShare;
    this.#numHitTokens ??= numHitTokens;
    this.#times.admit(nowMs);
  }

  /** Back to waiting with no place on the GPU; its token ids stay. Only with no step in flight. */
  preempt(): Seat {
    if (this.#status !== 'prefilling' && this.#status !== 'running') this.#expect('running');
    const seat = this.release();
    this.#numComputed = 0;
    this.#isStale = false;
    this.#status = 'waiting';
    return seat;
  }

  /** Gives up its place on the GPU. Only with no step in flight: such a step would write to another's blocks. */
  release(): Seat {
    const seat = this.#seat;
    if (seat === null || this.#numStepsInFlight > 0)
      throw this.#defect(
        `was released with ${this.#numStepsInFlight} steps in flight and ${seat ? 'a' : 'no'} seat`,
      );
    this.#seat = null;
    return seat;
  }

  /** Counts a submitted prefill chunk; true when it was the last one, which samples a token. */
  schedulePrefill(numTokens: number): boolean {
    this.#expect('prefilling');
    this.#numComputed += numTokens;
    this.#numStepsInFlight++;
    if (this.#numComputed < this.#tokenIds.length) return false;
    this.#numScheduled++;
    this.#status = 'running';
    return true;
  }

  /** Counts a submitted decode step; returns the position that it processes. */
  scheduleDecode(): number {
    this.#expect('running');
    this.#numScheduled++;
    this.#numStepsInFlight++;
    return this.#numComputed++;
  }

  /** A submitted step verifies a draft of what follows. */
  get isVerifying(): boolean {
    return this.#isStale && this.#numStepsInFlight > 0;
  }

  /** The last token if the slot has to be told of it, once; else null. */
  takeStaleToken(): number | null {
    if (!this.#isStale) return null;
    this.#isStale = false;
    return this.#tokenIds.at(-1) ?? null;
  }

  /** Counts a submitted step that verifies `numDrafted` tokens; returns the position of the last known one. */
  scheduleDraft(numDrafted: number): number {
    this.#expect('running');
    const position = this.#numComputed;
    if (this.#numStepsInFlight > 0 || position !== this.#tokenIds.length - 1)
      throw this.#defect(`was to verify a draft at ${position} of ${this.#tokenIds.length} tokens`);
    this.#numComputed += numDrafted + 1;
    this.#numScheduled += numDrafted + 1;
    this.#numStepsInFlight++;
    this.#isStale = true;
    return position;
  }

  /** Counts such a step as done: the tokens behind the right ones are as if they had never been. */
  retireDraft(numDrafted: number, numAccepted: number): void {
    this.#numStepsInFlight--;
    this.#numScheduled -= numDrafted + 1;
    this.#numComputed -= numDrafted - numAccepted;
    this.#numDrafted += numDrafted;
    this.#numAccepted += numAccepted;
  }

  /** Counts a step that the GPU is done with, `numSampled` (0 or 1) of its ids being this sequence's. */
  retireStep(numSampled: number): void {
    this.#numStepsInFlight--;
    this.#numScheduled -= numSampled;
    if (this.#numStepsInFlight < 0 || this.#numScheduled < 0)
      throw this.#defect('retired a step that was not in flight');
  }

  /** Appends an id that was read back, with its logprob if the request asks for it. */
  append(tokenId: number, nowMs: number, logprob: TokenLogprob | null = null): void {
    this.#expect('running');
    if ((logprob === null) !== (this.params.topLogprobs === null))
      throw this.#defect(`got ${logprob === null ? 'no' : 'a'} logprob`);
    this.#tokenIds.push(tokenId);
    if (logprob !== null) this.#logprobs.push(logprob);
    this.#times.addToken(nowMs);
  }

  /** Ends it; a second call changes nothing. The place on the GPU is released separately, once no step is in flight. */
  finish(reason: FinishReason | 'error', nowMs: number): void {
    if (this.#status === 'finished') return;
    this.#status = 'finished';
    this.#finishReason = reason;
    this.#times.end(nowMs);
  }

  /** Times up to the end, or to `nowMs` while it lives. */
  timings(nowMs: number): Timings {
    const numCompletionTokens = this.#tokenIds.length - this.numPromptTokens;
    const numPrefilled = this.numPromptTokens - this.numHitTokens;
    return {
      ...this.#times.timings(nowMs, { numPrefilled, numCompletionTokens }),
      draftTokens: this.#numDrafted,
      acceptedDraftTokens: this.#numAccepted,
    };
  }

  #expect(status: SequenceStatus): void {
    if (this.#status !== status) throw this.#defect(`is ${this.#status} where ${status} was due`);
  }

  #defect(what: string): TabmindError {
    return new TabmindError('internal', `Sequence ${this.id} ${what}.`, {
      meaning: 'tabmind has a bug; this answer cannot go on.',
      remedy: 'Reload the page and report this message.',
    });
  }
}

/** The place of a sequence that must have one. */
export function seatOf(sequence: Sequence): Seat {
  if (sequence.seat === null) throw defect(`sequence ${sequence.id} has no place on the GPU`);
  return sequence.seat;
}
