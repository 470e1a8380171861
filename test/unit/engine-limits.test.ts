import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine';
import { GREEDY } from '../../src/engine/sampling-params';
import { Scheduler } from '../../src/engine/scheduler';
import { Sequence } from '../../src/engine/sequence';
import { BlockAllocator } from '../../src/kvcache/block-allocator';
import { nextId, PagedRunner, turns } from './paged-runner';

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
      lengths.push(scheduler.schedule(0)?.batch.prefills[0]?.tokenIds.length);
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
    const both = ['first', 'second'];
    expect(steps).toEqual([[], both, both, both, undefined]);
  });
});

describe('Engine, keeping sessions', () => {
  it('says only of tokens that steps have written that the blocks hold them', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 8, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 8, eosTokenIds: [] });
    const promptIds = [1, 2, 3];
    const turn = async (session: string, maxTokens: number) => {
      const params = { ...GREEDY, maxTokens };
      const { ids } = await engine.add({ id: session, promptIds, params, session });
      const kept = await engine.sessions.read(session, async ({ tokenIds }) => tokenIds);
      return { ids, kept };
    };
    const one = await turn('one', 5);
    // There was no room for a step more: the last id has no keys.
    expect(one.kept).toEqual([...promptIds, ...one.ids.slice(0, -1)]);
    const two = await turn('two', 4);
    expect(two.kept).toEqual([...promptIds, ...two.ids]);
    const three = await turn('three', 2);
    // The last token would have taken a block of its own.
    expect(three.kept).toEqual([...promptIds, ...three.ids.slice(0, -1)]);
  });

  it('finds what a turn has left that ended a moment ago, its last step in flight', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({
      ...sizes,
      maxSlots: 2,
      maxChunkTokens: 8,
      vocabSize: 64,
      latency: () => 3,
    });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [] });
    const params = { ...GREEDY, maxTokens: 5 };
    const promptIds = [1, 2, 3];
    const { ids } = await engine.add({ id: 'a', promptIds, params, session: 'one' });
    expect(engine.sessions.find('one')).toBeNull();
    const next = await engine.add({ id: 'b', promptIds: [...promptIds, ...ids, 9], params, session: 'one' });
    expect(next.numHitTokens).toBe(promptIds.length + ids.length);
    engine.checkIntegrity();
  });

  it('keeps none whose keys no shorter prompt may find again', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 8, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [], maxSharedTokens: 6 });
    const params = { ...GREEDY, maxTokens: 2 };
    await engine.add({ id: 'short', promptIds: [1, 2, 3, 4, 5, 6], params, session: 'short' });
    await engine.add({ id: 'long', promptIds: [1, 2, 3, 4, 5, 6, 7], params, session: 'long' });
    expect(engine.sessions.find('short')).not.toBeNull();
    expect(engine.sessions.find('long')).toBeNull();
  });

  it.each([
    [
      'stops with steps in flight',
      7,
      { maxTokens: 30, stopTokenIds: [nextId(0, [0, 1, 2, 3, 4, 5, 6], 64)] },
      null,
    ],
    ['is aborted in the middle of its prompt', 40, { maxTokens: 3 }, 4],
  ])('holds the blocks of its tokens and no more when it %s', async (_, numPrompt, own, abortAfter) => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 4, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [], stepsInFlight: 4 });
    const promptIds = Array.from({ length: numPrompt }, (_, i) => i);
    const ended = engine.add({ id: 'a', promptIds, params: { ...GREEDY, ...own }, session: 'one' });
    if (abortAfter !== null) {
      await turns(abortAfter);
      engine.abort('a');
    }
    await ended;
    await turns(30);
    const session = engine.sessions.find('one');
    const numHeld = session?.blockTable.blockIds.length ?? 0;
    expect(numHeld).toBe(Math.ceil((session?.tokenIds.length ?? 0) / 4));
    expect(numHeld).toBeGreaterThan(0);
    engine.checkIntegrity();
    // So a copy of it fits where it is put back.
    const words = runner.readBlocks(session?.blockTable.blockIds ?? []);
    const sizesAsked: number[] = [];
    const write = (blockIds: readonly number[]) => void sizesAsked.push(blockIds.length * 4);
    expect(engine.sessions.restore('two', session?.tokenIds ?? [], write)).toBe(true);
    expect(sizesAsked).toEqual([words.length]);
  });

  it('keeps nothing of a turn that was aborted before it began', async () => {
    const sizes = { numBlocks: 32, blockTokens: 4 };
    const runner = new PagedRunner({ ...sizes, maxSlots: 2, maxChunkTokens: 4, vocabSize: 64 });
    const engine = new Engine(runner, { ...sizes, contextLength: 64, eosTokenIds: [] });
    const ended = engine.add({ id: 'a', promptIds: [1, 2], params: GREEDY, session: 'one' });
    engine.abort('a');
    await ended;
    expect(engine.sessions.find('one')).toBeNull();
    engine.checkIntegrity();
  });
});

describe('BlockAllocator.shrink', () => {
  it('frees what a table does not need, and refuses to give up what others may find through it', () => {
    const allocator = new BlockAllocator(6, 4);
    const table = allocator.allocate(20);
    if (table === null) throw new Error('no room in an empty pool');
    allocator.publish(table, [1, 2, 3, 4, 5, 6, 7, 8], 8);
    expect(() => allocator.shrink(table, 4)).toThrow('published 2');
    allocator.shrink(table, 9);
    expect(table.blockIds.length).toBe(3);
    expect(allocator.numFree).toBe(3);
    allocator.checkIntegrity();
    allocator.free(table);
    expect(allocator.numFree).toBe(6);
    allocator.checkIntegrity();
  });
});
