import { TabmindError } from '../errors';

/** End of the free list. */
const NONE = -1;

/**
 * The blocks of one sequence: `blockIds[i]` holds the keys and values of positions
 * `i·blockTokens … (i+1)·blockTokens − 1`. Only the allocator changes it.
 */
export interface BlockTable {
  readonly blockIds: readonly number[];
}

/**
 * Bookkeeping of a fixed pool of KV blocks; pure, it never touches the GPU. Blocks are counted by the tables that hold
 * them, so tables can share blocks. Free blocks form a queue: the one freed longest ago is handed out first, which
 * keeps the contents of recently freed blocks intact for as long as possible.
 */
export class BlockAllocator {
  readonly numBlocks: number;
  /** Tokens in a block; a power of two. */
  readonly blockTokens: number;
  readonly #refCounts: Int32Array;
  /** `#nextFree[block]`: the free block after this one, in the order of freeing. */
  readonly #nextFree: Int32Array;
  #freeHead = NONE;
  #freeTail = NONE;
  #numFree = 0;
  /** Every live table, with the list that only this class may change. */
  readonly #tables = new Map<BlockTable, number[]>();

  constructor(numBlocks: number, blockTokens: number) {
    if (!Number.isInteger(numBlocks) || numBlocks < 1)
      throw new TabmindError('bad-request', `A KV pool of ${numBlocks} blocks cannot hold a sequence.`, {
        meaning: 'There is no room for the conversation on the GPU.',
        remedy: 'Give the KV pool more memory.',
        details: { numBlocks },
      });
    if (!Number.isInteger(blockTokens) || blockTokens < 1 || Math.log2(blockTokens) % 1 !== 0)
      throw new TabmindError('bad-request', `A KV block of ${blockTokens} tokens is not a power of two.`, {
        remedy: 'Use a block size of 16 or 32 tokens.',
        details: { blockTokens },
      });
    this.numBlocks = numBlocks;
    this.blockTokens = blockTokens;
    this.#refCounts = new Int32Array(numBlocks);
    this.#nextFree = new Int32Array(numBlocks).fill(NONE);
    for (let block = 0; block < numBlocks; block++) this.#pushFree(block);
  }

  get numFree(): number {
    return this.#numFree;
  }

  get numUsed(): number {
    return this.numBlocks - this.#numFree;
  }

  /** Tokens that the whole pool holds. */
  get maxTokens(): number {
    return this.numBlocks * this.blockTokens;
  }

  /** Blocks that `numTokens` tokens of one sequence take. */
  numBlocksFor(numTokens: number): number {
    return Math.ceil(numTokens / this.blockTokens);
  }

  /** A new table whose blocks cover `numTokens` tokens; null (and nothing taken) when too few blocks are free. */
  allocate(numTokens: number): BlockTable | null {
    if (this.numBlocksFor(numTokens) > this.#numFree) return null;
    const blockIds: number[] = [];
    const table: BlockTable = { blockIds };
    this.#tables.set(table, blockIds);
    this.append(table, numTokens);
    return table;
  }

  /** Adds blocks until the table covers `numTokens` tokens; false (and nothing taken) when too few blocks are free. */
  append(table: BlockTable, numTokens: number): boolean {
    const blockIds = this.#blockIdsOf(table);
    const numMissing = this.numBlocksFor(numTokens) - blockIds.length;
    if (numMissing > this.#numFree) return false;
    for (let i = 0; i < numMissing; i++) {
      const block = this.#popFree();
      this.#refCounts[block] = 1;
      blockIds.push(block);
    }
    return true;
  }

  /**
   * A new table that shares the *full* blocks of the first `numTokens` tokens. A partly filled last block is left out:
   * both sequences would write into it. The new sequence computes the rest of the tokens itself.
   */
  fork(table: BlockTable, numTokens: number): BlockTable {
    const numShared = Math.floor(numTokens / this.blockTokens);
    const blockIds = this.#blockIdsOf(table).slice(0, numShared);
    if (blockIds.length < numShared)
      throw defect(`a fork at ${numTokens} tokens of a table of ${blockIds.length} blocks`);
    for (const block of blockIds) this.#refCounts[block] = this.#refCountOf(block) + 1;
    const forked: BlockTable = { blockIds };
    this.#tables.set(forked, blockIds);
    return forked;
  }

  /** Ends a table. Blocks that no other table holds become free, the end of the sequence first. */
  free(table: BlockTable): void {
    const blockIds = this.#blockIdsOf(table);
    this.#tables.delete(table);
    // Backwards: the start of a sequence is the part that another one is most likely to share, so it is reused last.
    for (const block of blockIds.toReversed()) {
      const refCount = this.#refCountOf(block) - 1;
      if (refCount < 0) throw defect(`block ${block} was freed more often than it was taken`);
      this.#refCounts[block] = refCount;
      if (refCount === 0) this.#pushFree(block);
    }
  }

  /** Checks every invariant; throws `internal` naming the first defect. Takes time proportional to the pool. */
  checkIntegrity(): void {
    const holders = new Int32Array(this.numBlocks);
    for (const { blockIds } of this.#tables.keys()) {
      if (new Set(blockIds).size !== blockIds.length) throw defect('a table holds the same block twice');
      for (const block of blockIds) {
        if (!(block >= 0 && block < this.numBlocks)) throw defect(`a table holds block ${block}`);
        holders[block] = (holders[block] ?? 0) + 1;
      }
    }
    const isFree = this.#walkFreeList();
    for (let block = 0; block < this.numBlocks; block++) {
      const numHolders = holders[block] ?? 0;
      const refCount = this.#refCountOf(block);
      if (refCount !== numHolders)
        throw defect(`block ${block} counts ${refCount} references but ${numHolders} tables hold it`);
      if ((isFree[block] === 1) !== (refCount === 0))
        throw defect(`block ${block} has ${refCount} references and is ${isFree[block] ? '' : 'not '}free`);
    }
  }

  /** 1 for every block on the free list. */
  #walkFreeList(): Uint8Array {
    const isFree = new Uint8Array(this.numBlocks);
    let numWalked = 0;
    let last = NONE;
    for (let block = this.#freeHead; block !== NONE; block = this.#nextFree[block] ?? NONE) {
      if (isFree[block] === 1) throw defect(`block ${block} is on the free list twice`);
      isFree[block] = 1;
      numWalked++;
      last = block;
    }
    if (numWalked !== this.#numFree)
      throw defect(`the free list has ${numWalked} blocks but ${this.#numFree} are counted`);
    if (last !== this.#freeTail) throw defect(`the free list ends at ${last}, not at ${this.#freeTail}`);
    return isFree;
  }

  #blockIdsOf(table: BlockTable): number[] {
    const blockIds = this.#tables.get(table);
    if (blockIds === undefined) throw defect('a block table was used after it was freed');
    return blockIds;
  }

  #refCountOf(block: number): number {
    const refCount = this.#refCounts[block];
    if (refCount === undefined) throw defect(`block ${block} is outside the pool`);
    return refCount;
  }

  #pushFree(block: number): void {
    this.#nextFree[block] = NONE;
    if (this.#freeTail === NONE) this.#freeHead = block;
    else this.#nextFree[this.#freeTail] = block;
    this.#freeTail = block;
    this.#numFree++;
  }

  #popFree(): number {
    const block = this.#freeHead;
    if (block === NONE) throw defect('a block was taken from an empty free list');
    this.#freeHead = this.#nextFree[block] ?? NONE;
    if (this.#freeHead === NONE) this.#freeTail = NONE;
    this.#numFree--;
    return block;
  }
}

function defect(what: string): TabmindError {
  return new TabmindError('internal', `KV block bookkeeping: ${what}.`, {
    meaning: 'tabmind has a bug; answers computed from here on could be wrong.',
    remedy: 'Reload the page and report this message.',
  });
}
