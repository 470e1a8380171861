import type { BlockAllocator, BlockCopy, BlockTable } from '../kvcache/block-allocator';
import { defect } from './defect';
import { type Seat, type Sequence, seatOf } from './sequence';
import { type Session, SessionShelf } from './session-shelf';

/**
 * Who sits where on the GPU: slots, and the blocks of sequences, of sessions and of lent places. Where blocks are short,
 * sessions give theirs up, the oldest first; what they hold can be found until it is reused.
 */
export class Seating {
  readonly #allocator: BlockAllocator;
  readonly #maxSlots: number;
  readonly #maxSharedTokens: number;
  readonly #freeSlots: number[];
  readonly #shelf = new SessionShelf();
  /** Blocks that are being read. */
  readonly #held = new Set<BlockTable>();
  /** Places lent to work that is no sequence. */
  readonly #lent = new Set<Seat>();
  #numPromptTokens = 0;
  #numHitTokens = 0;

  /** Sequences of more than `maxSharedTokens` tokens share nothing. */
  constructor(allocator: BlockAllocator, maxSlots: number, maxSharedTokens: number) {
    this.#allocator = allocator;
    this.#maxSlots = maxSlots;
    this.#maxSharedTokens = maxSharedTokens;
    this.#freeSlots = Array.from({ length: maxSlots }, (_, i) => maxSlots - 1 - i);
  }

  /** Tokens of the prompts that were admitted, and how many of them others had computed before. */
  get promptTokens(): { readonly numTokens: number; readonly numHit: number } {
    return { numTokens: this.#numPromptTokens, numHit: this.#numHitTokens };
  }

  get numSessionBlocks(): number {
    return this.#allocator.numHeldOnlyBy([...this.#shelf.tables, ...this.#held]);
  }

  /**
   * True when `seat` will find a place now: sessions give up their blocks for it, even where these are not enough. Shared
   * blocks are not counted on, so it may err on the side of no.
   */
  makeRoomFor(sequence: Sequence, numRunning: number): boolean {
    const numWanted = this.#allocator.numBlocksFor(sequence.tokenIds.length) + numRunning;
    return this.#freeSlots.length > 0 && this.#makeRoom(numWanted);
  }

  /**
   * Gives a waiting sequence a slot and the blocks of all its tokens; null when it has to wait. One block is left for each
   * running sequence: admitting into the last ones would mean preempting again at once.
   */
  seat(sequence: Sequence, numRunning: number, nowMs: number): { readonly copy: BlockCopy | null } | null {
    const slot = this.#freeSlots.at(-1);
    if (slot === undefined) return null;
    const { tokenIds } = sequence;
    const canShare = sequence.shares && tokenIds.length <= this.#maxSharedTokens;
    // The last token is computed in any case: its logits choose the next one.
    const maxHitTokens = canShare ? tokenIds.length - 1 : 0;
    let shared = this.#allocator.allocateShared(tokenIds, maxHitTokens, numRunning);
    while (shared === null) {
      if (!this.#dropOldestSession()) return null;
      shared = this.#allocator.allocateShared(tokenIds, maxHitTokens, numRunning);
    }
    this.#freeSlots.pop();
    if (sequence.prefillStartMs === null) {
      this.#numPromptTokens += tokenIds.length;
      this.#numHitTokens += shared.numHitTokens;
    }
    sequence.admit({ slot, blockTable: shared.table }, nowMs, shared.numHitTokens, canShare);
    return { copy: shared.copy };
  }

  /** Extends the blocks of a sequence to `numTokens` tokens; false when too few are free. */
  cover(sequence: Sequence, numTokens: number): boolean {
    const { blockTable } = seatOf(sequence);
    while (!this.#allocator.append(blockTable, numTokens)) if (!this.#dropOldestSession()) return false;
    return true;
  }

  /** Lets others find what the submitted steps of a sequence write. */
  publish(sequence: Sequence): void {
    const { seat, canShare, tokenIds, numSettled } = sequence;
    if (seat !== null && canShare)
      this.#allocator.publish(seat.blockTable, tokenIds, Math.min(numSettled, this.#maxSharedTokens));
  }

  /** Takes the place of a finished sequence; its session keeps the blocks. No step of it may be in flight. */
  leave(sequence: Sequence): void {
    this.publish(sequence);
    const { slot, blockTable } = sequence.release();
    this.#freeSlots.push(slot);
    const { session, canShare } = sequence;
    const numKept = Math.min(sequence.numSettled, this.#maxSharedTokens);
    if (session === null || !canShare || sequence.finishReason === 'error' || numKept === 0) {
      this.#allocator.free(blockTable);
      return;
    }
    // Blocks for tokens that were never computed, or were surplus: what is saved is what the tokens need.
    this.#allocator.shrink(blockTable, numKept);
    this.keep({ id: session, blockTable, tokenIds: sequence.tokenIds.slice(0, numKept) });
  }

  /** Takes the place of a sequence that goes back to the queue. */
  vacate(sequence: Sequence): void {
    this.publish(sequence);
    this.#putBack(sequence.preempt());
  }

  findSession(id: string): Session | null {
    return this.#shelf.find(id);
  }

  keep(session: Session): void {
    const replaced = this.#shelf.put(session);
    if (replaced !== null) this.#allocator.free(replaced.blockTable);
  }

  /** Gives up what a session holds; false when there is no such session. */
  dropSession(id: string): boolean {
    const session = this.#shelf.take(id);
    if (session !== null) this.#allocator.free(session.blockTable);
    return session !== null;
  }

  /** Keeps the blocks as they are until `letGo`. */
  hold(session: Session): BlockTable {
    const held = this.#allocator.hold(session.blockTable);
    this.#held.add(held);
    return held;
  }

  letGo(held: BlockTable): void {
    if (!this.#held.delete(held)) throw defect('blocks were let go that nobody held');
    this.#allocator.free(held);
  }

  /** Blocks for the tokens of a session that comes from elsewhere; null when too few are free. */
  allocateSession(tokenIds: readonly number[]): BlockTable | null {
    return this.#makeRoom(this.#allocator.numBlocksFor(tokenIds.length))
      ? this.#allocator.allocate(tokenIds.length)
      : null;
  }

  /** Keeps a session whose blocks have been written, and lets others find them. */
  adopt(session: Session): void {
    this.#allocator.publish(session.blockTable, session.tokenIds, session.tokenIds.length);
    this.keep(session);
  }

  /** Steps were lost: nothing that lies on the GPU can be trusted. */
  forget(): void {
    while (this.#dropOldestSession());
    this.#allocator.forget();
  }

  /** Takes a place for `numTokens` tokens out of scheduling; null when slots or blocks are short. */
  lend(numTokens: number): Seat | null {
    const slot = this.#freeSlots.at(-1);
    if (slot === undefined || !this.#makeRoom(this.#allocator.numBlocksFor(numTokens))) return null;
    const blockTable = this.#allocator.allocate(numTokens);
    if (blockTable === null) return null;
    this.#freeSlots.pop();
    const seat = { slot, blockTable };
    this.#lent.add(seat);
    return seat;
  }

  /** Puts a lent place back. No step that uses it may be in flight. */
  takeBack(seat: Seat): void {
    if (!this.#lent.delete(seat)) throw defect(`slot ${seat.slot} was not lent`);
    this.#putBack(seat);
  }

  /** Throws `internal` naming the first defect; `seated` are all sequences that must have a place. */
  checkIntegrity(seated: readonly Sequence[]): void {
    this.#allocator.checkIntegrity();
    const slots = [...this.#freeSlots];
    const tables: BlockTable[] = [...this.#shelf.tables, ...this.#held];
    for (const { slot, blockTable } of this.#lent) {
      slots.push(slot);
      tables.push(blockTable);
    }
    for (const sequence of seated) {
      if (sequence.seat === null) throw defect(`sequence ${sequence.id} runs without a slot`);
      const { slot, blockTable } = sequence.seat;
      slots.push(slot);
      tables.push(blockTable);
      if (blockTable.blockIds.length < this.#allocator.numBlocksFor(sequence.numComputed))
        throw defect(`the blocks of sequence ${sequence.id} do not cover ${sequence.numComputed} tokens`);
    }
    if (slots.length !== this.#maxSlots || new Set(slots).size !== slots.length)
      throw defect(`slots ${slots.join(', ')} are free or taken, of ${this.#maxSlots}`);
    const blocks = new Set(tables.flatMap(({ blockIds }) => blockIds));
    if (blocks.size !== this.#allocator.numUsed)
      throw defect(`sequences hold ${blocks.size} blocks but ${this.#allocator.numUsed} are in use`);
  }

  /** True when `numBlocks` are free, sessions giving up theirs if need be. */
  #makeRoom(numBlocks: number): boolean {
    while (this.#allocator.numFree < numBlocks) if (!this.#dropOldestSession()) return false;
    return true;
  }

  #dropOldestSession(): boolean {
    const session = this.#shelf.takeOldest();
    if (session !== null) this.#allocator.free(session.blockTable);
    return session !== null;
  }

  #putBack(seat: Seat): void {
    this.#allocator.free(seat.blockTable);
    this.#freeSlots.push(seat.slot);
  }
}
