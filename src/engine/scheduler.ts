import { TabmindError } from '../errors';
import type { BlockAllocator } from '../kvcache/block-allocator';
import type { FinishReason } from '../protocol';
import type { Batch, DecodeRow } from './batch';
import type { Seat, Sequence } from './sequence';

/** A batch to submit, and whose rows they are. */
export interface ScheduledStep {
  readonly batch: Batch;
  /** The sequence of every row of a decode batch, in row order; the one sequence of a prefill batch. */
  readonly sequences: readonly Sequence[];
  /** Ids that each of `sequences` gets back: 0 for a prefill chunk that is not the last, else 1. */
  readonly numSampled: 0 | 1;
  /** The sequence that this step takes into a slot: the slot has to be started before the batch is submitted. */
  readonly admitted: Sequence | null;
}

export interface SchedulerLimits {
  readonly maxSlots: number;
  readonly maxChunkTokens: number;
  /** Longest sequence, prompt and completion together, in tokens. */
  readonly contextLength: number;
}

/**
 * Decides which batch runs next: pure bookkeeping, no GPU and no waiting. First come, first served; a step is either one
 * chunk of one prompt or one token for every running sequence, and the two alternate while both are wanted.
 *
 * One rule makes reuse safe: slot and blocks change hands only when their sequence has no step in flight. A finished
 * sequence therefore keeps them until its surplus steps have retired, and a sequence is preempted only after everything
 * in flight has been read back, so that no result ever belongs to an earlier life of a slot. (Steps run in the order of
 * submission, so reuse at once would be ordered too; but the rule does not ask the runner for that, and costs two or
 * three steps.)
 */
export class Scheduler {
  readonly #allocator: BlockAllocator;
  readonly #limits: SchedulerLimits;
  /** By arrival. */
  readonly #waiting: Sequence[] = [];
  /** Sequences with a place on the GPU, by arrival; at most the last one is prefilling. */
  readonly #running: Sequence[] = [];
  /** Finished sequences whose last steps are in flight. */
  readonly #draining = new Set<Sequence>();
  /** Places lent to work that is no sequence. */
  readonly #lent = new Set<Seat>();
  readonly #freeSlots: number[];
  #numStepsInFlight = 0;
  #lastPhase: Batch['phase'] = 'decode';
  #numPreemptions = 0;

  constructor(allocator: BlockAllocator, limits: SchedulerLimits) {
    this.#allocator = allocator;
    this.#limits = limits;
    this.#freeSlots = Array.from({ length: limits.maxSlots }, (_, i) => limits.maxSlots - 1 - i);
  }

  get numRunning(): number {
    return this.#running.length;
  }

  get numWaiting(): number {
    return this.#waiting.length;
  }

  get numStepsInFlight(): number {
    return this.#numStepsInFlight;
  }

  get numPreemptions(): number {
    return this.#numPreemptions;
  }

  /** Unfinished sequences, oldest first. */
  get live(): readonly Sequence[] {
    return [...this.#running, ...this.#waiting];
  }

  /** Queues a sequence. Throws `context-full` when not even one token would fit behind its prompt. */
  add(sequence: Sequence): void {
    const { numPromptTokens } = sequence;
    const maxTokens = this.#maxSequenceTokens;
    if (numPromptTokens + 1 > maxTokens) {
      const inPool = this.#allocator.maxTokens < this.#limits.contextLength;
      throw new TabmindError(
        'context-full',
        `The prompt has ${numPromptTokens} tokens; ${inPool ? 'the KV pool' : 'the context'} holds ${maxTokens}, completion included.`,
        {
          meaning: 'The conversation is too long to go on.',
          remedy: `Start a new chat, shorten the message, or load the model with a larger ${inPool ? 'KV pool' : 'context'}.`,
          details: { numPromptTokens, maxTokens },
        },
      );
    }
    this.#waiting.push(sequence);
  }

  /** True when the sequence has all the tokens that its request, the context or the pool allows. */
  isFull(sequence: Sequence): boolean {
    return sequence.tokenIds.length >= this.#maxTokensOf(sequence);
  }

  /**
   * The next step to submit; null when there is nothing to run before a step in flight has retired (or nothing at all).
   * The step counts as in flight until `retire`.
   */
  schedule(nowMs: number): ScheduledStep | null {
    const decodeIsDue = this.#lastPhase === 'prefill' && this.#decodable().length > 0;
    const step = decodeIsDue
      ? this.#scheduleDecode()
      : (this.#schedulePrefill(nowMs) ?? this.#scheduleDecode());
    if (step === null) return null;
    this.#numStepsInFlight++;
    this.#lastPhase = step.batch.phase;
    return step;
  }

  /** Takes a step out of flight, its result read back or lost. Frees the place of finished sequences. */
  retire(step: ScheduledStep): void {
    this.#numStepsInFlight--;
    for (const sequence of step.sequences) {
      sequence.retireStep(step.numSampled);
      if (sequence.status === 'finished' && sequence.numStepsInFlight === 0) {
        this.#draining.delete(sequence);
        this.#free(sequence.release());
      }
    }
  }

  /** Ends a sequence in any state; false when it had ended before. */
  finish(sequence: Sequence, reason: FinishReason | 'error', nowMs: number): boolean {
    if (sequence.status === 'finished') return false;
    remove(sequence.status === 'waiting' ? this.#waiting : this.#running, sequence);
    sequence.finish(reason, nowMs);
    if (sequence.numStepsInFlight > 0) this.#draining.add(sequence);
    else if (sequence.seat !== null) this.#free(sequence.release());
    return true;
  }

  /** Takes a place for `numTokens` tokens out of scheduling; null when slots or blocks are short. */
  lend(numTokens: number): Seat | null {
    const slot = this.#freeSlots.at(-1);
    const blockTable = slot === undefined ? null : this.#allocator.allocate(numTokens);
    if (slot === undefined || blockTable === null) return null;
    this.#freeSlots.pop();
    const seat = { slot, blockTable };
    this.#lent.add(seat);
    return seat;
  }

  /** Puts a lent place back. No step that uses it may be in flight. */
  takeBack(seat: Seat): void {
    if (!this.#lent.delete(seat)) throw defect(`slot ${seat.slot} was not lent`);
    this.#free(seat);
  }

  /** Checks every invariant of slots and blocks; throws `internal` naming the first defect. */
  checkIntegrity(): void {
    this.#allocator.checkIntegrity();
    const slots = [...this.#freeSlots];
    const blocks = new Set<number>();
    for (const { slot, blockTable } of this.#lent) {
      slots.push(slot);
      for (const block of blockTable.blockIds) blocks.add(block);
    }
    for (const sequence of [...this.#running, ...this.#draining]) {
      if (sequence.seat === null) throw defect(`sequence ${sequence.id} runs without a slot`);
      const { slot, blockTable } = sequence.seat;
      slots.push(slot);
      for (const block of blockTable.blockIds) blocks.add(block);
      if (blockTable.blockIds.length < this.#allocator.numBlocksFor(sequence.numComputed))
        throw defect(`the blocks of sequence ${sequence.id} do not cover ${sequence.numComputed} tokens`);
    }
    if (slots.length !== this.#limits.maxSlots || new Set(slots).size !== slots.length)
      throw defect(`slots ${slots.join(', ')} are free or taken, of ${this.#limits.maxSlots}`);
    if (blocks.size !== this.#allocator.numUsed)
      throw defect(`sequences hold ${blocks.size} blocks but ${this.#allocator.numUsed} are in use`);
    for (const sequence of this.#waiting)
      if (sequence.seat !== null || sequence.numStepsInFlight > 0)
        throw defect(`sequence ${sequence.id} waits with a place on the GPU`);
  }

  get #maxSequenceTokens(): number {
    return Math.min(this.#limits.contextLength, this.#allocator.maxTokens);
  }

  #maxTokensOf(sequence: Sequence): number {
    return Math.min(sequence.numPromptTokens + sequence.params.maxTokens, this.#maxSequenceTokens);
  }

  /** Running sequences that may sample one more token, those in flight counted: no surplus past a known end. */
  #decodable(): readonly Sequence[] {
    return this.#running.filter(
      (sequence) =>
        sequence.status === 'running' &&
        sequence.tokenIds.length + sequence.numScheduled < this.#maxTokensOf(sequence),
    );
  }

  #schedulePrefill(nowMs: number): ScheduledStep | null {
    const prefilling = this.#running.find((sequence) => sequence.status === 'prefilling');
    const sequence = prefilling ?? this.#admit(nowMs);
    if (sequence === null) return null;
    const { slot, blockTable } = seatOf(sequence);
    const startPosition = sequence.numComputed;
    const tokenIds = Uint32Array.from(
      sequence.tokenIds.slice(startPosition, startPosition + this.#limits.maxChunkTokens),
    );
    const sample = sequence.schedulePrefill(tokenIds.length);
    return {
      batch: {
        phase: 'prefill',
        slot,
        tokenIds,
        startPosition,
        totalTokens: sequence.tokenIds.length,
        blockTable: blockTable.blockIds,
        sample,
      },
      sequences: [sequence],
      numSampled: sample ? 1 : 0,
      admitted: prefilling === undefined ? sequence : null,
    };
  }

  /** Gives the oldest waiting sequence a slot and the blocks of all its tokens; null when it has to wait. */
  #admit(nowMs: number): Sequence | null {
    const sequence = this.#waiting[0];
    const slot = this.#freeSlots.at(-1);
    if (sequence === undefined || slot === undefined) return null;
    const numTokens = sequence.tokenIds.length;
    // One block is left for each running sequence: admitting into the last ones would mean preempting again at once.
    const numWanted = this.#allocator.numBlocksFor(numTokens) + this.#running.length;
    if (numWanted > this.#allocator.numFree) return null;
    const blockTable = this.#allocator.allocate(numTokens);
    if (blockTable === null) return null;
    this.#waiting.shift();
    this.#freeSlots.pop();
    sequence.admit({ slot, blockTable }, nowMs);
    this.#running.push(sequence);
    return sequence;
  }

  #scheduleDecode(): ScheduledStep | null {
    let sequences = this.#decodable();
    while (!sequences.every((sequence) => this.#coverNext(sequence))) {
      // Whatever is in flight may yet finish a sequence and free its blocks, and nothing in flight may be preempted.
      if (this.#numStepsInFlight > 0) return null;
      this.#preemptNewest();
      sequences = this.#decodable();
    }
    if (sequences.length === 0) return null;
    const rows = sequences.map((sequence): DecodeRow => {
      const { slot, blockTable } = seatOf(sequence);
      return { slot, position: sequence.scheduleDecode(), blockTable: blockTable.blockIds };
    });
    return { batch: { phase: 'decode', rows }, sequences, numSampled: 1, admitted: null };
  }

  #coverNext(sequence: Sequence): boolean {
    return this.#allocator.append(seatOf(sequence).blockTable, sequence.numComputed + 1);
  }

  /** The newest goes, so the oldest always moves on; it holds no more than the pool, so it ends. */
  #preemptNewest(): void {
    const sequence = this.#running.pop();
    if (sequence === undefined) throw defect('blocks are short with no sequence running');
    this.#free(sequence.preempt());
    this.#waiting.unshift(sequence);
    this.#numPreemptions++;
  }

  #free(seat: Seat): void {
    this.#allocator.free(seat.blockTable);
    this.#freeSlots.push(seat.slot);
  }
}

function seatOf(sequence: Sequence): Seat {
  if (sequence.seat === null) throw defect(`sequence ${sequence.id} has no place on the GPU`);
  return sequence.seat;
}

function remove(list: Sequence[], sequence: Sequence): void {
  const index = list.indexOf(sequence);
  if (index < 0) throw defect(`sequence ${sequence.id} is not in the list of its status`);
  list.splice(index, 1);
}

/** An error for a broken invariant of the engine. */
export function defect(what: string): TabmindError {
  return new TabmindError('internal', `Engine bookkeeping: ${what}.`, {
    meaning: 'tabmind has a bug; this answer cannot go on.',
    remedy: 'Reload the page and report this message.',
  });
}
