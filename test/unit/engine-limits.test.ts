import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine';
import { GREEDY } from '../../src/engine/sampling-params';
import { Scheduler } from '../../src/engine/scheduler';
import { Sequence } from '../../src/engine/sequence';
import { BlockAllocator } from '../../src/kvcache/block-allocator';
import { PagedRunner } from './paged-runner';

const sequenceOf = (id: string, numPromptTokens: number, first: number) =>
  new Sequence(
    id,
    Array.from({ length: numPromptTokens }, (_, i) => first + i),
    { ...GREEDY, maxTokens: 20 },
    0,
  );

describe('Scheduler, told how long chunks may be', () => {
  it('asks for the number of decode rows that the chunk joins', () => {
    const asked: number[] = [];
    const scheduler = new Scheduler(new BlockAllocator(64, 4), {
      maxSlots: 4,
      contextLength: 64,
      maxChunkFor: (numRows) => {
        asked.push(numRows);
        return numRows === 0 ? 8 : 3;
      },
    });
    const lengths = [];
    for (const [i, id] of ['a', 'b'].entries()) {
      scheduler.add(sequenceOf(id, 5, 100 * i));
      lengths.push(scheduler.schedule(0)?.batch.prefill?.tokenIds.length);
    }
    expect(asked).toEqual([0, 1]);
    expect(lengths).toEqual([5, 3]);
  });
});

describe('Scheduler, short of blocks', () => {
  it('leaves the one that is to be preempted out of every step until its own have retired', () => {
    const scheduler = new Scheduler(new BlockAllocator(4, 4), {
      maxSlots: 2,
      contextLength: 16,
      maxChunkFor: () => 8,
    });
    scheduler.add(sequenceOf('first', 5, 0));
    scheduler.add(sequenceOf('second', 3, 100));
    const steps = Array.from({ length: 5 }, () => scheduler.schedule(0)?.decoding.map(({ id }) => id));
    // In the fourth step `second` takes the last block; in the fifth `first` has none for its ninth token.
    expect(steps).toEqual([[], ['first'], ['first', 'second'], ['first', 'second'], undefined]);
  });
});

describe('Engine, keeping sessions', () => {
  it('says only of tokens that steps have written that the blocks hold them', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 8, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [] });
    const promptIds = [1, 2, 3];
    const params = { ...GREEDY, maxTokens: 5 };
    const { ids } = await engine.add({ id: 'a', promptIds, params, session: 'one' });
    // The last id was sampled and never computed: it has no keys.
    expect(engine.findSession('one')?.tokenIds).toEqual([...promptIds, ...ids.slice(0, -1)]);
  });

  it('keeps none whose keys no shorter prompt may find again', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 8, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [], maxSharedTokens: 6 });
    const params = { ...GREEDY, maxTokens: 2 };
    await engine.add({ id: 'short', promptIds: [1, 2, 3, 4, 5, 6], params, session: 'short' });
    await engine.add({ id: 'long', promptIds: [1, 2, 3, 4, 5, 6, 7], params, session: 'long' });
    expect(engine.findSession('short')).not.toBeNull();
    expect(engine.findSession('long')).toBeNull();
  });
});
