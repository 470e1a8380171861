import { TabmindError } from '../errors';
import { type PrefixNode, PrefixTree } from './prefix-tree';

/**
 * The blocks of one sequence: `blockIds[i]` holds the keys and values of positions
 * `i·blockTokens … (i+1)·blockTokens − 1`. Only the allocator changes it.
 */
export interface BlockTable {
  readonly blockIds: readonly number[];
}

/** The contents of block `from` that `to` is to begin with. */
export interface BlockCopy {
  readonly from: number;
  readonly to: number;
}

/** A table for tokens of which the first `numHitTokens` need not be computed. */
export interface SharedTable {
  readonly table: BlockTable;
  readonly numHitTokens: number;
  /** To be done on the GPU, before anything that is submitted from now on: the rest of the hit lies in another's block. */
  readonly copy: BlockCopy | null;
}

interface TableRecord {
  readonly blockIds: number[];
  /** What the published blocks of the table end with, and how many they are. */
  node: PrefixNode | null;
  numPublished: number;
}

/**
 * Bookkeeping of a fixed pool of KV blocks; pure, it never touches the GPU. Blocks are counted by the tables that hold
 * them, so tables can share blocks: full ones only, because a sequence writes into its last one. A free block keeps its
 * contents until it is handed out, and is found again by its tokens; blocks of no known contents are handed out first,
 * then the one that was freed longest ago.
 */
export class BlockAllocator {
  readonly numBlocks: number;
  /** Tokens in a block; a power of two. */
  readonly blockTokens: number;
  readonly #refCounts: Int32Array;
  /** Free blocks whose contents nothing is known of, and free blocks that can be found; by the time of freeing. */
  readonly #empty = new Set<number>();
  readonly #cached = new Set<number>();
  readonly #tree: PrefixTree;
  readonly #tables = new Map<BlockTable, TableRecord>();

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
    this.#tree = new PrefixTree(blockTokens);
    for (let block = 0; block < numBlocks; block++) this.#empty.add(block);
  }

  /** Blocks that no table holds, those with known contents included. */
  get numFree(): number {
    return this.#empty.size + this.#cached.size;
  }

  /** Free blocks whose contents can still be found. */
  get numCached(): number {
    return this.#cached.size;
  }

  get numUsed(): number {
    return this.numBlocks - this.numFree;
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
    if (this.numBlocksFor(numTokens) > this.numFree) return null;
    const table = this.#open([]);
    this.append(table, numTokens);
    return table;
  }

  /**
   * A new table that covers `tokenIds` and shares what is known of at most their first `maxHitTokens`. null (and nothing
   * taken) when fewer than `numSpare` blocks would be left free.
   */
  allocateShared(tokenIds: readonly number[], maxHitTokens: number, numSpare = 0): SharedTable | null {
    const { blocks, partial } = this.#tree.match(tokenIds, maxHitTokens);
    const numWoken = blocks.filter((block) => this.#refCountOf(block) === 0).length;
    const numFresh = this.numBlocksFor(tokenIds.length) - blocks.length;
    if (numWoken + numFresh + numSpare > this.numFree) return null;
    for (const block of blocks) this.#take(block);
    // The block to be copied is the last of the free ones to be handed out.
    if (partial !== null && this.#cached.delete(partial.block)) this.#cached.add(partial.block);
    const table = this.#open([...blocks]);
    this.append(table, tokenIds.length);
    const to = table.blockIds[blocks.length];
    const copied = partial !== null && to !== undefined ? partial : null;
    return {
      table,
      numHitTokens: blocks.length * this.blockTokens + (copied?.numTokens ?? 0),
      copy: copied === null || to === undefined || copied.block === to ? null : { from: copied.block, to },
    };
  }

  /** A further table of the same blocks: they stay as they are until it is freed too. */
  hold({ blockIds }: BlockTable): BlockTable {
    for (const block of blockIds) this.#take(block);
    return this.#open([...blockIds]);
  }

  /** Adds blocks until the table covers `numTokens` tokens; false (and nothing taken) when too few blocks are free. */
  append(table: BlockTable, numTokens: number): boolean {
    const { blockIds } = this.#recordOf(table);
    const numMissing = this.numBlocksFor(numTokens) - blockIds.length;
    if (numMissing > this.numFree) return false;
    for (let i = 0; i < numMissing; i++) blockIds.push(this.#takeFree());
    return true;
  }

  /**
   * Makes the blocks of a table findable by the first `numTokens` of `tokenIds`, which submitted steps have written there
   * and nothing will change any more.
   */
  publish(table: BlockTable, tokenIds: readonly number[], numTokens: number): void {
    const record = this.#recordOf(table);
    const { blockTokens } = this;
    if (numTokens > record.blockIds.length * blockTokens || numTokens > tokenIds.length)
      throw defect(`${numTokens} tokens of a table of ${record.blockIds.length} blocks were published`);
    // What an equal block of another table stood for may be gone meanwhile.
    if (!this.#tree.holds(record.node)) [record.node, record.numPublished] = [null, 0];
    for (;;) {
      const at = record.numPublished * blockTokens;
      const held = tokenIds.slice(at, Math.min(at + blockTokens, numTokens));
      if (held.length === 0) return;
      const node = this.#tree.put(record.node, this.#blockAt(record, record.numPublished), held);
      if (held.length < blockTokens) return;
      record.node = node;
      record.numPublished++;
    }
  }

  /** Ends a table. Blocks that no other table holds become free, the end of the sequence first. */
  free(table: BlockTable): void {
    this.#release(this.#recordOf(table).blockIds);
    this.#tables.delete(table);
  }

  /** Gives up the blocks that a table does not need for its first `numTokens` tokens; nothing behind those is published. */
  shrink(table: BlockTable, numTokens: number): void {
    const { blockIds, numPublished } = this.#recordOf(table);
    const numKept = this.numBlocksFor(numTokens);
    if (numPublished > numKept)
      throw defect(`a table was to keep ${numKept} blocks but has published ${numPublished}`);
    this.#release(blockIds.splice(numKept));
  }

  /** Nothing is known of any block any more: steps were lost, so what was to be written may not be there. */
  forget(): void {
    this.#tree.clear();
    for (const block of this.#cached) this.#empty.add(block);
    this.#cached.clear();
    for (const record of this.#tables.values()) [record.node, record.numPublished] = [null, 0];
  }

  /** Blocks that only the given tables hold. */
  numHeldOnlyBy(tables: Iterable<BlockTable>): number {
    const holders = new Map<number, number>();
    for (const { blockIds } of tables)
      for (const block of blockIds) holders.set(block, (holders.get(block) ?? 0) + 1);
    let count = 0;
    for (const [block, numHolders] of holders) if (this.#refCountOf(block) === numHolders) count++;
    return count;
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
    for (let block = 0; block < this.numBlocks; block++) {
      const numHolders = holders[block] ?? 0;
      const refCount = this.#refCountOf(block);
      if (refCount !== numHolders)
        throw defect(`block ${block} counts ${refCount} references but ${numHolders} tables hold it`);
      const isKnown = this.#tree.has(block);
      if (this.#cached.has(block) !== (refCount === 0 && isKnown))
        throw defect(`block ${block} has ${refCount} references and is wrongly counted as cached or not`);
      if (this.#empty.has(block) !== (refCount === 0 && !isKnown))
        throw defect(`block ${block} has ${refCount} references and is wrongly counted as empty or not`);
    }
    this.#tree.checkIntegrity();
  }

  #open(blockIds: number[]): BlockTable {
    const table: BlockTable = { blockIds };
    this.#tables.set(table, { blockIds, node: null, numPublished: 0 });
    return table;
  }

  #recordOf(table: BlockTable): TableRecord {
    const record = this.#tables.get(table);
    if (record === undefined) throw defect('a block table was used after it was freed');
    return record;
  }

  #blockAt({ blockIds }: TableRecord, index: number): number {
    const block = blockIds[index];
    if (block === undefined) throw defect(`a table has no block number ${index}`);
    return block;
  }

  #refCountOf(block: number): number {
    const refCount = this.#refCounts[block];
    if (refCount === undefined) throw defect(`block ${block} is outside the pool`);
    return refCount;
  }

  #take(block: number): void {
    this.#cached.delete(block);
    this.#refCounts[block] = this.#refCountOf(block) + 1;
  }

  /** Backwards: the start of a sequence is the part that another one is most likely to share, so it is reused last. */
  #release(blockIds: readonly number[]): void {
    for (const block of blockIds.toReversed()) {
      const refCount = this.#refCountOf(block) - 1;
      if (refCount < 0) throw defect(`block ${block} was freed more often than it was taken`);
      this.#refCounts[block] = refCount;
      if (refCount === 0) (this.#tree.has(block) ? this.#cached : this.#empty).add(block);
    }
  }

  /** Takes a free block; what was known of its contents, and of what could only be found through it, is forgotten. */
  #takeFree(): number {
    const block = first(this.#empty) ?? first(this.#cached);
    if (block === undefined) throw defect('a block was taken from an empty pool');
    for (const lost of this.#tree.remove(block)) if (this.#cached.delete(lost)) this.#empty.add(lost);
    this.#empty.delete(block);
    this.#refCounts[block] = 1;
    return block;
  }
}

function first(blocks: ReadonlySet<number>): number | undefined {
  return blocks.values().next().value;
}

function defect(what: string): TabmindError {
  return new TabmindError('internal', `KV block bookkeeping: ${what}.`, {
    meaning: 'tabmind has a bug; answers computed from here on could be wrong.',
    remedy: 'Reload the page and report this message.',
  });
}
