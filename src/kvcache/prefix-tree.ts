import { TabmindError } from '../errors';

/** What one block is known to hold: the keys and values of `tokenIds`, in the context of all blocks above it. */
export interface PrefixNode {
  readonly block: number;
  /** null: the block starts a sequence. */
  readonly parent: PrefixNode | null;
  /** At most a block of tokens; only a full one has children. */
  readonly tokenIds: readonly number[];
}

/** A block whose first `numTokens` tokens are wanted: it must be copied, because its rest belongs to another sequence. */
export interface PartialBlock {
  readonly block: number;
  readonly numTokens: number;
}

export interface PrefixMatch {
  /** Blocks that hold the start of the tokens in full, in order. */
  readonly blocks: readonly number[];
  /** The block that goes on best behind them; null when none shares a token. */
  readonly partial: PartialBlock | null;
}

interface Node extends PrefixNode {
  readonly parent: Node | null;
  tokenIds: readonly number[];
  readonly children: Set<Node>;
}

/**
 * Finds blocks by the tokens that they and all blocks before them hold. Tokens are compared, not hashed, so a match is
 * never an accident. Pure; whoever owns the blocks takes a node out before the block's contents change.
 */
export class PrefixTree {
  readonly #blockTokens: number;
  readonly #first = new Set<Node>();
  readonly #nodeOf = new Map<number, Node>();

  constructor(blockTokens: number) {
    this.#blockTokens = blockTokens;
  }

  has(block: number): boolean {
    return this.#nodeOf.has(block);
  }

  /** True while the node is in the tree; null, the start of every sequence, always is. */
  holds(node: PrefixNode | null): boolean {
    return node === null || this.#nodeOf.get(node.block) === node;
  }

  /** The longest known start of `tokenIds`, of at most `maxTokens` tokens. */
  match(tokenIds: readonly number[], maxTokens: number): PrefixMatch {
    const blocks: number[] = [];
    const limit = Math.min(maxTokens, tokenIds.length);
    let node: Node | null = null;
    for (;;) {
      const at = blocks.length * this.#blockTokens;
      const { child, numTokens } = this.#closest(node, tokenIds, at, limit);
      if (child === null) return { blocks, partial: null };
      if (numTokens < this.#blockTokens) return { blocks, partial: { block: child.block, numTokens } };
      blocks.push(child.block);
      node = child;
    }
  }

  /**
   * Says that `block` holds `tokenIds` behind `parent`, and returns the node that holds them: that of another block where
   * the same is known already.
   */
  put(parent: PrefixNode | null, block: number, tokenIds: readonly number[]): PrefixNode {
    const above = this.#own(parent);
    const { child, numTokens } = this.#closest(above, tokenIds, 0, tokenIds.length);
    if (child !== null && numTokens === tokenIds.length && child.block !== block) return child;
    const known = this.#nodeOf.get(block);
    if (known !== undefined && known.parent === above) {
      known.tokenIds = tokenIds;
      return known;
    }
    if (known !== undefined) this.remove(block);
    const node: Node = { block, parent: above, tokenIds, children: new Set() };
    this.#nodeOf.set(block, node);
    this.#childrenOf(above).add(node);
    return node;
  }

  /** Takes out a block and all that could only be found through it; returns their blocks. */
  remove(block: number): readonly number[] {
    const top = this.#nodeOf.get(block);
    if (top === undefined) return [];
    this.#childrenOf(top.parent).delete(top);
    const removed: number[] = [];
    const left: Node[] = [top];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      this.#nodeOf.delete(node.block);
      removed.push(node.block);
      left.push(...node.children);
    }
    return removed;
  }

  clear(): void {
    this.#nodeOf.clear();
    this.#first.clear();
  }

  /** Throws `internal` naming the first defect. */
  checkIntegrity(): void {
    let numReached = 0;
    const left = [...this.#first];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      numReached++;
      if (this.#nodeOf.get(node.block) !== node)
        throw defect(`block ${node.block} is reached but not listed`);
      const { length } = node.tokenIds;
      if (length < 1 || length > this.#blockTokens)
        throw defect(`block ${node.block} holds ${length} tokens`);
      if (node.children.size > 0 && length < this.#blockTokens)
        throw defect(`block ${node.block} is not full, but others follow it`);
      for (const child of node.children)
        if (child.parent !== node) throw defect(`block ${child.block} follows two blocks`);
      left.push(...node.children);
    }
    if (numReached !== this.#nodeOf.size)
      throw defect(`${this.#nodeOf.size} blocks are listed but ${numReached} can be reached`);
  }

  /** The child that shares most tokens with `tokenIds` from `at` on, up to `limit`; null when none shares one. */
  #closest(
    parent: Node | null,
    tokenIds: readonly number[],
    at: number,
    limit: number,
  ): { readonly child: Node | null; readonly numTokens: number } {
    let best: Node | null = null;
    let numBest = 0;
    for (const child of this.#childrenOf(parent)) {
      const numMost = Math.min(child.tokenIds.length, limit - at);
      let same = 0;
      while (same < numMost && child.tokenIds[same] === tokenIds[at + same]) same++;
      if (same > numBest) [best, numBest] = [child, same];
      if (numBest === this.#blockTokens) break;
    }
    return { child: best, numTokens: numBest };
  }

  #childrenOf(node: Node | null): Set<Node> {
    return node === null ? this.#first : node.children;
  }

  #own(parent: PrefixNode | null): Node | null {
    if (parent === null) return null;
    const node = this.#nodeOf.get(parent.block);
    if (node !== parent || node.tokenIds.length < this.#blockTokens)
      throw defect(`block ${parent.block} cannot be followed by another`);
    return node;
  }
}

function defect(what: string): TabmindError {
  return new TabmindError('internal', `KV prefix bookkeeping: ${what}.`, {
    meaning: 'tabmind has a bug; answers computed from here on could be wrong.',
    remedy: 'Reload the page and report this message.',
  });
}
