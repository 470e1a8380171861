import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch, PendingStep, StepRunner } from '../../src/engine/batch';
import { Engine } from '../../src/engine/engine';
import { GREEDY } from '../../src/engine/sampling-params';

/** Tokens up to which the keys of the model below depend on nothing but their place. */
const FIXED_TOKENS = 10;
const VOCAB_SIZE = 50;
const BLOCK_TOKENS = 2;
const MAX_CHUNK_TOKENS = 3;
/** Two more tokens fit into the smallest pool, so that every pool gives the same. */
const MAX_PROMPT_TOKENS = 34;

/**
 * A StepRunner whose keys depend on the length, as those of dynamic ropes do: rows of a prompt of more than FIXED_TOKENS
 * tokens by the length of that prompt, tokens that come one by one beyond FIXED_TOKENS by their own position. The next id
 * is a hash of all keys of the sequence, read through its blocks. Steps run at once.
 */
class RopeRunner implements StepRunner {
  readonly maxSlots = 3;
  readonly maxChunkTokens = MAX_CHUNK_TOKENS;
  readonly maxVerifiedRows = 1;
  readonly #keys: Uint32Array;
  readonly #tokens = new Map<number, number>();

  constructor(numBlocks: number) {
    this.#keys = new Uint32Array(numBlocks * BLOCK_TOKENS);
  }

  startSlot(slot: number): void {
    this.#tokens.delete(slot);
  }

  recover(): void {
    throw new Error('nothing was lost');
  }

  submit({ copies, rows, prefills }: Batch): PendingStep {
    for (const { from, to } of copies)
      this.#keys.copyWithin(to * BLOCK_TOKENS, from * BLOCK_TOKENS, (from + 1) * BLOCK_TOKENS);
    const ids = rows.map(({ slot, position, blockTable }) => {
      this.#write(blockTable, position, this.#tokens.get(slot) ?? -1, null);
      return this.#sample(slot, blockTable, position + 1);
    });
    if (prefills.length > 1 && prefills.some(({ totalTokens }) => (totalTokens ?? 0) > FIXED_TOKENS))
      throw new Error('a prompt whose keys depend on its length shares a chunk');
    for (const { slot, tokenIds, startPosition, totalTokens, blockTable, sample } of prefills) {
      for (const [i, token] of tokenIds.entries())
        this.#write(blockTable, startPosition + i, token, totalTokens);
      if (sample) ids.push(this.#sample(slot, blockTable, startPosition + tokenIds.length));
    }
    return { ids: Promise.resolve(Uint32Array.from(ids)) };
  }

  #write(blockTable: readonly number[], position: number, token: number, promptTokens: number | null): void {
    const own = position < FIXED_TOKENS ? 0 : position + 1;
    const length = promptTokens !== null && promptTokens > FIXED_TOKENS ? promptTokens : own;
    this.#keys[addressOf(blockTable, position)] = Math.imul(token + 1, 0x9e3779b1) ^ (length * 0x85ebca6b);
  }

  #sample(slot: number, blockTable: readonly number[], numTokens: number): number {
    let hash = 0x811c9dc5;
    for (let position = 0; position < numTokens; position++) {
      hash = Math.imul(hash ^ (this.#keys[addressOf(blockTable, position)] ?? 0), 0x01000193);
      hash ^= hash >>> 15;
    }
    const id = (hash >>> 0) % VOCAB_SIZE;
    this.#tokens.set(slot, id);
    return id;
  }
}

function addressOf(blockTable: readonly number[], position: number): number {
  const block = blockTable[Math.floor(position / BLOCK_TOKENS)];
  if (block === undefined) throw new Error(`position ${position} is not covered`);
  return block * BLOCK_TOKENS + (position % BLOCK_TOKENS);
}

function engineOf(numBlocks: number): Engine {
  return new Engine(new RopeRunner(numBlocks), {
    numBlocks,
    blockTokens: BLOCK_TOKENS,
    contextLength: 40,
    eosTokenIds: [],
    maxSharedTokens: FIXED_TOKENS,
  });
}

const SESSION = { session: 'one' };

async function complete(engine: Engine, id: string, promptIds: readonly number[], maxTokens: number) {
  const params = { ...GREEDY, maxTokens };
  const completion = await engine.add({ id, promptIds, params, ...SESSION });
  engine.checkIntegrity();
  return completion;
}

const alone = (promptIds: readonly number[], maxTokens: number) =>
  complete(engineOf(40), 'alone', promptIds, maxTokens);

const requestOf = fc.record({
  numShared: fc.integer({ min: 1, max: 16 }),
  own: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  maxTokens: fc.integer({ min: 1, max: 16 }),
});

describe('Engine, with keys that depend on the length', () => {
  it('shares nothing that another length computed, and computes preempted sequences again as they were', async () => {
    let [numPreemptions, numHit] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 18, max: 24 }),
        fc.array(requestOf, { minLength: 2, maxLength: 6, size: 'max' }),
        async (numBlocks, requests) => {
          const engine = engineOf(numBlocks);
          const results = await Promise.all(
            requests.map(async ({ numShared, own, maxTokens }, i) => {
              const first = [...Array.from({ length: numShared }, (_, at) => (at * 5) % VOCAB_SIZE), ...own];
              const answer = await complete(engine, `r${i}`, first, maxTokens);
              // A second turn, which may be longer than the keys of the first allow.
              const second = [...first, ...answer.ids, 7].slice(0, MAX_PROMPT_TOKENS);
              const next = await complete(engine, `r${i} again`, second, 2);
              return [
                { promptIds: first, maxTokens, ids: answer.ids },
                { promptIds: second, maxTokens: 2, ids: next.ids },
              ];
            }),
          );
          for (const { promptIds, maxTokens, ids } of results.flat())
            expect(ids).toEqual((await alone(promptIds, maxTokens)).ids);
          const stats = engine.stats();
          numPreemptions += stats.numPreemptions;
          numHit += stats.prefixHitTokens;
        },
      ),
      { numRuns: 300 },
    );
    expect(numPreemptions).toBeGreaterThan(50);
    expect(numHit).toBeGreaterThan(200);
  }, 30_000);
});
