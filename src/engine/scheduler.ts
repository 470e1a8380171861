import { TabmindError } from '../errors';
import type { BlockAllocator, BlockCopy } from '../kvcache/block-allocator';
import type { FinishReason } from '../protocol';
import type { DecodeRow } from './batch';
import { canJoin, cutChunk, type JoiningLimits } from './chunk';
import { defect } from './defect';
import { draftStep } from './draft-step';
import { checkRanked, insertRanked, overtakeEarlier, remove, urgencyOf } from './ranking';
import type { ScheduledStep, SchedulerLimits, TakenPrompt } from './scheduled-step';
import { Seating } from './seating';
import { type Sequence, seatOf } from './sequence';

/**
 * Decides which batch runs next: pure bookkeeping, no GPU and no waiting. Every step takes one token for every running
 * sequence and one chunk, of as many prompts as fit into it. The more urgent goes first, then the earlier. A sequence that
 * runs alone may get steps that verify a draft instead, one at a time.
 *
 * One rule makes reuse safe: slot and blocks change hands only when their sequence has no step in flight. A finished
 * sequence therefore keeps them until its surplus steps have retired, and a sequence that is to be preempted is first
 * left out of the steps until its own have been read back, so that no result ever belongs to an earlier life of a slot.
 * (Steps run in the order of submission, so reuse at once would be ordered too; but the rule does not ask the runner for
 * that, and costs two or three steps.)
 */
export class Scheduler {
  readonly #allocator: BlockAllocator;
  readonly #limits: SchedulerLimits;
  readonly #joining: JoiningLimits;
  readonly #seating: Seating;
  /** By rank. */
  readonly #waiting: Sequence[] = [];
  /** Sequences with a place on the GPU, by rank. */
  readonly #running: Sequence[] = [];
  /** Finished sequences whose last steps are in flight, and what is to be told when they are not. */
  readonly #draining = new Map<Sequence, (() => void)[]>();
  #numAdded = 0;
  #numStepsInFlight = 0;
  #numPreemptions = 0;

  constructor(allocator: BlockAllocator, limits: SchedulerLimits) {
    this.#allocator = allocator;
    this.#limits = limits;
    const { maxSlots, maxSharedTokens = Number.POSITIVE_INFINITY } = limits;
    this.#joining = { maxSharedTokens, blockTokens: allocator.blockTokens };
    this.#seating = new Seating(allocator, maxSlots, maxSharedTokens);
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

  /** Places on the GPU, sessions and lent places. */
  get seating(): Seating {
    return this.#seating;
  }

  /** Unfinished sequences, those that run first, each by rank. */
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
    sequence.arrive(this.#numAdded++);
    insertRanked(this.#waiting, sequence);
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
    const alone = this.#draftAlone();
    if (alone !== null) {
      if (alone.draft.length === 0) return null;
      this.#numStepsInFlight++;
      return draftStep(alone.sequence, alone.draft);
    }
    // Before this step counts as computed: what is copied now is copied before this step writes.
    if (this.#waiting.length > 0)
      for (const sequence of [...this.#running, ...this.#draining.keys()]) this.#seating.publish(sequence);
    const leaving = this.#makeWay();
    const decoding = this.#coverDecoding(leaving);
    const prompts = this.#takePrompts(nowMs, leaving, decoding.length);
    if (decoding.length === 0 && prompts.length === 0) return null;
    const rows = decoding.map((sequence): DecodeRow => {
      const { slot, blockTable } = seatOf(sequence);
      const tokenId = sequence.takeStaleToken();
      return { slot, position: sequence.scheduleDecode(), blockTable: blockTable.blockIds, tokenId };
    });
    this.#numStepsInFlight++;
    return {
      batch: {
        copies: prompts.flatMap(({ copy }) => copy ?? []),
        rows,
        prefills: prompts.map(({ prefill }) => prefill),
      },
      decoding,
      prefilling: prompts.map(({ sequence }) => sequence),
      sampled: [...decoding, ...prompts.flatMap(({ sequence, prefill }) => (prefill.sample ? sequence : []))],
      admitted: prompts.flatMap(({ sequence, isNew }) => (isNew ? sequence : [])),
      draft: null,
    };
  }

  /**
   * Takes a step out of flight, its result read back or lost; `numAccepted` tokens of its draft were right. Frees the place of
   * finished sequences.
   */
  retire({ batch, decoding, prefilling, draft }: ScheduledStep, numAccepted = 0): void {
    this.#numStepsInFlight--;
    if (draft !== null) {
      for (const sequence of prefilling) {
        sequence.retireDraft(draft.length, numAccepted);
        this.#leaveIfDone(sequence);
      }
      return;
    }
    for (const sequence of decoding) this.#retireStep(sequence, 1);
    for (const [i, sequence] of prefilling.entries())
      this.#retireStep(sequence, batch.prefills[i]?.sample ? 1 : 0);
  }

  /** Sends all that run back to the queue, and forgets what lies on the GPU. Only with no step in flight. */
  startOver(): void {
    for (const sequence of [...this.#running]) this.#preempt(sequence);
    this.#seating.forget();
  }

  /** Resolves when the session keeps what its finished turns have left: their last steps may be in flight. */
  async settle(session: string): Promise<void> {
    for (const [sequence, listeners] of [...this.#draining])
      if (sequence.session === session) await new Promise<void>((resolve) => listeners.push(resolve));
  }

  /** Ranks an unfinished sequence anew: the next step goes by it. */
  setPriority(sequence: Sequence, priority: number): void {
    const list = this.#listOf(sequence);
    remove(list, sequence);
    sequence.priority = priority;
    insertRanked(list, sequence);
  }

  /** Ends a sequence in any state; false when it had ended before. */
  finish(sequence: Sequence, reason: FinishReason | 'error', nowMs: number): boolean {
    if (sequence.status === 'finished') return false;
    remove(this.#listOf(sequence), sequence);
    sequence.finish(reason, nowMs);
    if (sequence.numStepsInFlight > 0) this.#draining.set(sequence, []);
    else if (sequence.seat !== null) this.#seating.leave(sequence);
    return true;
  }

  /** Checks every invariant of slots and blocks; throws `internal` naming the first defect. */
  checkIntegrity(): void {
    this.#seating.checkIntegrity([...this.#running, ...this.#draining.keys()]);
    for (const sequence of this.#waiting)
      if (sequence.seat !== null || sequence.numStepsInFlight > 0)
        throw defect(`sequence ${sequence.id} waits with a place on the GPU`);
    for (const list of [this.#waiting, this.#running]) checkRanked(list);
  }

  #listOf({ status }: Sequence): Sequence[] {
    return status === 'waiting' ? this.#waiting : this.#running;
  }

  get #maxSequenceTokens(): number {
    return Math.min(this.#limits.contextLength, this.#allocator.maxTokens);
  }

  #maxTokensOf(sequence: Sequence): number {
    return Math.min(sequence.numPromptTokens + sequence.params.maxTokens, this.#maxSequenceTokens);
  }

  /** May sample one more token, those in flight counted: no surplus past a known end, but for a session's last token. */
  #isDecodable(sequence: Sequence): boolean {
    const numTokens = sequence.tokenIds.length + sequence.numScheduled;
    const most = this.#maxTokensOf(sequence);
    return (
      sequence.status === 'running' &&
      !sequence.isVerifying &&
      (numTokens < most || (numTokens === most && this.#mayEndAhead(sequence)))
    );
  }

  /**
   * One step more writes the keys and values of a session's last token, so that its next turn begins behind them; not where
   * that would take a block from others.
   */
  #mayEndAhead({ session, canShare, seat, numComputed }: Sequence): boolean {
    const numCovered = (seat?.blockTable.blockIds.length ?? 0) * this.#allocator.blockTokens;
    return session !== null && canShare && numComputed < Math.min(numCovered, this.#maxSequenceTokens - 1);
  }

  #retireStep(sequence: Sequence, numSampled: 0 | 1): void {
    sequence.retireStep(numSampled);
    this.#leaveIfDone(sequence);
  }

  #leaveIfDone(sequence: Sequence): void {
    if (sequence.status !== 'finished' || sequence.numStepsInFlight > 0) return;
    const listeners = this.#draining.get(sequence) ?? [];
    this.#draining.delete(sequence);
    this.#seating.leave(sequence);
    for (const listener of listeners) listener();
  }

  /**
   * The only sequence there is, with a draft of what follows. While steps of it are in flight the draft is not complete: then
   * it is empty, and nothing is submitted until they are back.
   */
  #draftAlone(): { readonly sequence: Sequence; readonly draft: readonly number[] } | null {
    const [sequence] = this.#running;
    const isAlone = this.#running.length === 1 && this.#waiting.length === 0 && this.#draining.size === 0;
    if (sequence?.status !== 'running' || !isAlone) return null;
    const room = this.#maxTokensOf(sequence) - sequence.tokenIds.length;
    const draft = this.#limits.draftFor?.(sequence, room) ?? null;
    if (draft === null) return null;
    if (sequence.numStepsInFlight > 0) return { sequence, draft: [] };
    // Sessions do not give up their blocks for a guess.
    const numTokens = sequence.tokenIds.length + draft.length;
    return this.#allocator.append(seatOf(sequence).blockTable, numTokens) ? { sequence, draft } : null;
  }

  /**
   * Running sequences that have a block for their next token. Where blocks are short, the last in rank gives up its own,
   * so the first always moves on; it holds no more than the pool, so it ends.
   */
  #coverDecoding(leaving: Sequence | null): readonly Sequence[] {
    for (;;) {
      const wanted = this.#running.filter((sequence) => sequence !== leaving && this.#isDecodable(sequence));
      const covered = wanted.filter((sequence) => this.#seating.cover(sequence, sequence.numComputed + 1));
      if (covered.length === wanted.length) return covered;
      const victim = this.#running.at(-1);
      if (victim === undefined) throw defect('blocks are short with no sequence running');
      // Whatever drains will free its blocks; and nothing in flight may be preempted.
      if (this.#draining.size > 0) return covered;
      if (victim.numStepsInFlight > 0) return covered.filter((sequence) => sequence !== victim);
      this.#preempt(victim);
    }
  }

  /**
   * Makes room for the first in the queue where a place is held by one that is less urgent. Returns the sequence that has
   * to be left out of this step, because it can be preempted only when its steps have retired.
   */
  #makeWay(): Sequence | null {
    for (;;) {
      const first = this.#waiting[0];
      const victim = this.#running.at(-1);
      if (first === undefined || victim === undefined || urgencyOf(victim) >= urgencyOf(first)) return null;
      if (this.#draining.size > 0 || this.#seating.makeRoomFor(first, this.#running.length)) return null;
      if (victim.numStepsInFlight > 0) return victim;
      this.#preempt(victim);
    }
  }

  #preempt(sequence: Sequence): void {
    remove(this.#running, sequence);
    this.#seating.vacate(sequence);
    insertRanked(this.#waiting, sequence);
    this.#numPreemptions++;
  }

  /**
   * The prompts that go on, those that have begun and those that wait, the more urgent first. None that waits overtakes
   * another that finds no place.
   */
  #takePrompts(nowMs: number, leaving: Sequence | null, numRows: number): readonly TakenPrompt[] {
    const begun = this.#running.filter((other) => other.status === 'prefilling' && other !== leaving);
    const numPrompts = begun.length + this.#waiting.length;
    let numLeft = numPrompts > 0 ? this.#limits.maxChunkFor(numRows, numPrompts) : 0;
    const taken: TakenPrompt[] = [];
    let isQueueOpen = true;
    while (numLeft > 0) {
      const first = isQueueOpen ? this.#waiting[0] : undefined;
      const older = begun[0];
      const isFirstNext = first && (older === undefined || urgencyOf(first) > urgencyOf(older));
      const sequence = isFirstNext ? first : older;
      if (sequence === undefined) break;
      const isNew = sequence.seat === null;
      const seated = canJoin(sequence, taken, numLeft, this.#joining) ? this.#placeOf(sequence, nowMs) : null;
      if (seated === null) {
        if (!isNew) break;
        isQueueOpen = false;
        continue;
      }
      if (!isNew) begun.shift();
      const prefill = cutChunk(sequence, numLeft, this.#joining.maxSharedTokens);
      taken.push({ sequence, isNew, copy: seated.copy, prefill });
      numLeft -= prefill.tokenIds.length;
    }
    return taken;
  }

  /** The place that a sequence has, or gets now; null when it has to wait. */
  #placeOf(sequence: Sequence, nowMs: number): { readonly copy: BlockCopy | null } | null {
    if (sequence.seat !== null) return { copy: null };
    const seated = this.#seating.seat(sequence, this.#running.length, nowMs);
    if (seated !== null) this.#admit(sequence);
    return seated;
  }

  #admit(sequence: Sequence): void {
    remove(this.#waiting, sequence);
    for (const list of [this.#waiting, this.#running]) overtakeEarlier(list, sequence);
    insertRanked(this.#running, sequence);
  }
}
