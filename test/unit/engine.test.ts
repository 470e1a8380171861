import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/engine/batch';
import { Engine } from '../../src/engine/engine';
import type { Completion, EngineOptions } from '../../src/engine/request';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import { TabmindError } from '../../src/errors';
import { nextId, PagedRunner, type PagedRunnerOptions, turns } from './paged-runner';

const VOCAB_SIZE = 1000;

function setUp(options: Partial<EngineOptions> = {}, runnerOptions: Partial<PagedRunnerOptions> = {}) {
  const sizes = { numBlocks: options.numBlocks ?? 64, blockTokens: 4 };
  const runner = new PagedRunner({
    ...sizes,
    maxSlots: 4,
    maxChunkTokens: 8,
    vocabSize: VOCAB_SIZE,
    ...runnerOptions,
  });
  const engine = new Engine(runner, { contextLength: 256, eosTokenIds: [], ...sizes, ...options });
  const streamed = new Map<string, number[]>();
  const add = (
    id: string,
    promptIds: readonly number[],
    params: Partial<SamplingParams> = {},
  ): Promise<Completion> => {
    const ids: number[] = [];
    streamed.set(id, ids);
    return engine.add({
      id,
      promptIds,
      params: { ...GREEDY, maxTokens: 12, ...params },
      onTokens: (newIds) => ids.push(...newIds),
    });
  };
  const expectEmpty = (): void => {
    engine.checkIntegrity();
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, kvBlocksUsed: 0 });
  };
  return { engine, runner, add, streamed, expectEmpty };
}

/** The first `numTokens` ids that the model gives for a prompt by itself. */
function alone(promptIds: readonly number[], numTokens: number, seed = 0): number[] {
  const history = [...promptIds];
  for (let i = 0; i < numTokens; i++) history.push(nextId(seed, history, VOCAB_SIZE));
  return history.slice(promptIds.length);
}

const PROMPT = [11, 12, 13, 14, 15];

describe('Engine', () => {
  it('goes by a priority that changes on the way', async () => {
    const { engine, add, expectEmpty } = setUp({}, { maxSlots: 1 });
    const ended: string[] = [];
    const all = ['a', 'b', 'c'].map(async (id, i) => {
      const { ids } = await add(id, [...PROMPT, i]);
      ended.push(id);
      expect(ids).toEqual(alone([...PROMPT, i], 12));
    });
    expect(engine.setPriority('c', 1)).toBe(true);
    await Promise.all(all);
    expect(ended).toEqual(['c', 'a', 'b']);
    expect(engine.setPriority('c', 1)).toBe(false);
    expectEmpty();
  });

  it('streams a completion of max_tokens, with its length known in advance: no surplus step', async () => {
    const { engine, runner, add, streamed, expectEmpty } = setUp();
    const completion = await add('a', PROMPT, { maxTokens: 6 });
    expect(completion).toMatchObject({ reason: 'length', ids: alone(PROMPT, 6), stopTokenId: null });
    expect(streamed.get('a')).toEqual(completion.ids);
    expect(completion.timings.totalMs).toBeGreaterThanOrEqual(completion.timings.ttftMs);
    expect(completion.timings.ttftMs).toBeGreaterThan(0);
    await engine.close();
    expect(runner.batches).toHaveLength(6);
    expect(engine.stats()).toMatchObject({ stepsSubmitted: 6, tokensGenerated: 6 });
    expectEmpty();
  });

  it.each([1, 2, 3, 4])('keeps up to %d steps in flight', async (stepsInFlight) => {
    const { runner, add } = setUp({ stepsInFlight });
    expect((await add('a', PROMPT)).ids).toEqual(alone(PROMPT, 12));
    expect(runner.maxInFlight).toBe(stepsInFlight);
  });

  it.each([
    [0.1, 8],
    [20, 3],
  ])('with %d ms between two looks at the clock keeps %d steps in flight', async (tickMs, expected) => {
    let nowMs = 0;
    const { runner, add } = setUp({ now: () => (nowMs += tickMs) }, { vocabSize: VOCAB_SIZE });
    expect((await add('a', PROMPT, { maxTokens: 60 })).ids).toEqual(alone(PROMPT, 60));
    expect(runner.maxInFlight).toBe(expected);
  });

  it('keeps few steps behind one with a chunk, and as many as before once it is done', async () => {
    let nowMs = 0;
    const waiting: Batch[] = [];
    const numWaiting = { withChunk: [] as number[], without: [] as number[] };
    const { add } = setUp(
      { now: () => (nowMs += 0.1) },
      {
        vocabSize: VOCAB_SIZE,
        onSubmit: (batch) => {
          waiting.push(batch);
          const hasChunk = waiting.some(({ prefills }) => prefills.length > 0);
          numWaiting[hasChunk ? 'withChunk' : 'without'].push(waiting.length);
        },
        onExecute: () => void waiting.shift(),
      },
    );
    const first = add('a', PROMPT, { maxTokens: 120 });
    await turns(60);
    const long = Array.from({ length: 60 }, (_, i) => i + 1);
    expect((await add('b', long, { maxTokens: 40 })).ids).toEqual(alone(long, 40));
    expect((await first).ids).toEqual(alone(PROMPT, 120));
    // steps that had been submitted before it came stand before the chunk
    expect(numWaiting.withChunk.length).toBeGreaterThan(8);
    expect(Math.max(...numWaiting.withChunk.slice(8))).toBeLessThanOrEqual(3);
    expect(Math.max(...numWaiting.without.slice(-20))).toBeGreaterThan(5);
  });

  it('keeps as many steps behind a pause of the host as before', async () => {
    let [nowMs, numDone, numWaiting] = [0, 0, 0];
    const afterPause: number[] = [];
    const { add } = setUp(
      { now: () => (nowMs += 0.7) },
      {
        vocabSize: VOCAB_SIZE,
        onSubmit: () => {
          numWaiting++;
          if (numDone > 40 && numDone < 56) afterPause.push(numWaiting);
        },
        onExecute: () => {
          numWaiting--;
          if (++numDone === 40) nowMs += 100;
        },
      },
    );
    await add('a', PROMPT, { maxTokens: 90 });
    expect(afterPause.length).toBeGreaterThan(5);
    expect(Math.min(...afterPause.slice(3))).toBeGreaterThan(3);
  });

  it('ends at eos, keeps it out of the stream, and drops the surplus', async () => {
    const ids = alone(PROMPT, 12);
    const eos = ids[4] ?? -1;
    const { engine, runner, add, streamed, expectEmpty } = setUp({ eosTokenIds: [eos] });
    const completion = await add('a', PROMPT);
    expect(completion).toMatchObject({ reason: 'stop', ids: ids.slice(0, 5), stopTokenId: eos });
    expect(streamed.get('a')).toEqual(ids.slice(0, 4));
    await engine.close();
    expect(runner.batches.length).toBeGreaterThan(5);
    expect(engine.stats().tokensGenerated).toBe(5);
    expectEmpty();
  });

  it('ignores eos when told to, but not the stop ids of the request', async () => {
    const ids = alone(PROMPT, 12);
    const [eos, stop] = [ids[2] ?? -1, ids[7] ?? -1];
    const { add } = setUp({ eosTokenIds: [eos] });
    const completion = await add('a', PROMPT, { ignoreEos: true, stopTokenIds: [stop] });
    expect(completion).toMatchObject({ reason: 'stop', ids: ids.slice(0, 8), stopTokenId: stop });
  });

  it('decodes requests together', async () => {
    const { runner, add } = setUp();
    const other = [21, 22];
    const [a, b] = await Promise.all([add('a', PROMPT), add('b', other, { seed: 5 })]);
    expect(a.ids).toEqual(alone(PROMPT, 12));
    expect(b.ids).toEqual(alone(other, 12, 5));
    const words = runner.batches.map(
      ({ rows, prefills }) => `${rows.length}${' + prompt'.repeat(prefills.length)}`,
    );
    // Both prompts share the first step.
    expect(words).toEqual(['0 + prompt + prompt', ...Array(11).fill('2')]);
  });

  it('preempts and recomputes when blocks run out, without a lost or changed token', async () => {
    const { engine, add, expectEmpty } = setUp({ numBlocks: 6 });
    const prompts = [1, 2, 3].map((n) => [n, n, n, n]);
    const completions = await Promise.all(
      prompts.map((prompt, i) => add(`r${i}`, prompt, { maxTokens: 16 })),
    );
    for (const [i, { ids }] of completions.entries()) expect(ids).toEqual(alone(prompts[i] ?? [], 16));
    expect(engine.stats().numPreemptions).toBeGreaterThan(0);
    await engine.close();
    expectEmpty();
  });

  it.each([
    ['waiting', 0],
    ['mid-prefill', 1],
    ['decoding', 12],
  ])('aborts while %s and frees everything', async (_, numTurns) => {
    const { engine, add, expectEmpty } = setUp();
    const prompt = Array.from({ length: 30 }, (_, i) => i);
    const pending = add('a', prompt, { maxTokens: 200 });
    await turns(numTurns);
    expect(engine.abort('a')).toBe(true);
    expect(engine.abort('a')).toBe(false);
    engine.checkIntegrity();
    const { reason, ids } = await pending;
    expect(reason).toBe('abort');
    expect(ids).toEqual(alone(prompt, ids.length));
    expect(ids.length > 0).toBe(numTurns === 12);
    expect((await add('a', PROMPT)).ids).toEqual(alone(PROMPT, 12));
    await engine.close();
    expectEmpty();
  });

  it('lets onTokens end its own request, end another, and start one', async () => {
    const { engine, add, expectEmpty } = setUp();
    const victim = add('victim', [1, 2], { maxTokens: 200 });
    let started: Promise<Completion> | null = null;
    const ids: number[] = [];
    const completion = await engine.add({
      id: 'a',
      promptIds: PROMPT,
      params: { ...GREEDY, maxTokens: 200 },
      onTokens: (newIds) => {
        ids.push(...newIds);
        if (ids.length !== 4) return;
        engine.abort('victim');
        started = add('started', [9]);
        engine.finish('a', 'stop');
      },
    });
    expect(completion).toMatchObject({ reason: 'stop', ids: alone(PROMPT, 4), stopTokenId: null });
    expect((await victim).reason).toBe('abort');
    expect(await started).toMatchObject({ reason: 'length', ids: alone([9], 12) });
    await engine.close();
    expectEmpty();
  });

  it('fails only the request whose onTokens throws', async () => {
    const { engine, add, expectEmpty } = setUp();
    const onTokens = (): void => {
      throw new Error('cannot show this');
    };
    const bad = engine.add({ id: 'bad', promptIds: [3], params: GREEDY, onTokens });
    const good = add('good', PROMPT);
    await expect(bad).rejects.toMatchObject({ name: 'TabmindError', message: 'cannot show this' });
    expect((await good).ids).toEqual(alone(PROMPT, 12));
    await engine.close();
    expectEmpty();
  });
});

describe('Engine refuses', () => {
  it('what can never fit, what is out of range, an empty prompt and an id in use', async () => {
    const { engine, add, expectEmpty } = setUp({ contextLength: 8 });
    const running = add('a', PROMPT);
    await expect(add('b', Array(8).fill(1))).rejects.toMatchObject({ code: 'context-full' });
    await expect(add('b', PROMPT, { topP: 2 })).rejects.toMatchObject({ code: 'bad-request' });
    await expect(add('b', [])).rejects.toMatchObject({ code: 'bad-request' });
    await expect(add('a', PROMPT)).rejects.toMatchObject({ code: 'bad-request' });
    expect(() => engine.setPriority('a', Number.NaN)).toThrow(
      expect.objectContaining({ code: 'bad-request' }),
    );
    expect(await running).toMatchObject({ reason: 'length', ids: alone(PROMPT, 3) });
    await engine.close();
    expectEmpty();
  });

  it('everything after close, which aborts what runs and waits for the steps in flight', async () => {
    let numExecuted = 0;
    const { engine, runner, add, expectEmpty } = setUp({}, { onExecute: () => numExecuted++ });
    const pending = add('a', PROMPT, { maxTokens: 200 });
    await turns(7);
    await engine.close();
    expect((await pending).reason).toBe('abort');
    expect(numExecuted).toBe(runner.batches.length);
    await expect(add('b', PROMPT)).rejects.toMatchObject({ code: 'no-model' });
    await turns(5);
    expect(numExecuted).toBe(runner.batches.length);
    expectEmpty();
  });
});

describe('Engine, when the runner fails', () => {
  const lost = new TabmindError('device-lost', 'The GPU went away.');
  const failOnce = (at: number) => (_: unknown, count: number) => {
    if (count === at) throw lost;
  };

  it.each([0, 1, 2, 7])(
    'fails all requests when submit number %d throws, and goes on with new ones',
    async (at) => {
      const { engine, add, expectEmpty } = setUp({}, { onSubmit: failOnce(at), maxSlots: 2 });
      const results = await Promise.allSettled(['a', 'b', 'c'].map((id) => add(id, PROMPT)));
      for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: lost });
      engine.checkIntegrity();
      expect((await add('a', PROMPT)).ids).toEqual(alone(PROMPT, 12));
      await engine.close();
      expectEmpty();
    },
  );

  it.each([0, 1, 5])('fails all requests when the device is lost at step %d', async (at) => {
    const { engine, add, expectEmpty } = setUp({}, { onExecute: failOnce(at) });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((id) => add(id, PROMPT)));
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: lost });
    await expect(add('d', PROMPT)).rejects.toBe(lost);
    await engine.close();
    expectEmpty();
  });

  it('wraps a foreign error of startSlot', async () => {
    const onStartSlot = (): void => {
      throw new RangeError('no such slot');
    };
    const { engine, add, expectEmpty } = setUp({}, { onStartSlot });
    await expect(add('a', PROMPT)).rejects.toMatchObject({ name: 'TabmindError', message: 'no such slot' });
    await engine.close();
    expectEmpty();
  });

  it('does not take a wrong number of ids', async () => {
    const runner = {
      maxSlots: 1,
      maxChunkTokens: 8,
      maxVerifiedRows: 1,
      startSlot() {},
      submit: () => ({ ids: Promise.resolve(Uint32Array.of(1, 2)) }),
      recover() {},
    };
    const engine = new Engine(runner, { numBlocks: 4, blockTokens: 4, contextLength: 16, eosTokenIds: [] });
    await expect(engine.add({ id: 'a', promptIds: PROMPT, params: GREEDY })).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('gave 2 ids, not 1'),
    });
    await engine.close();
    engine.checkIntegrity();
  });
});

describe('Engine, with sessions', () => {
  const prompt = Array.from({ length: 9 }, (_, i) => 50 + i);
  const setUpSession = async (numBlocks = 16) => {
    const parts = setUp({ numBlocks });
    const turn = (id: string, promptIds: readonly number[], session = 'talk') =>
      parts.engine.add({ id, promptIds, params: { ...GREEDY, maxTokens: 6 }, session });
    const first = await turn('first', prompt);
    await turns(10);
    return { ...parts, turn, history: [...prompt, ...first.ids] };
  };

  it('computes only what is new in the next turn, and only the end after a rewind', async () => {
    const { engine, turn, history } = await setUpSession();
    expect(engine.stats()).toMatchObject({ kvBlocksUsed: 0, kvBlocksCached: 4, kvBlocksFree: 12 });
    const next = [...history, 7, 8];
    const second = await turn('second', next);
    expect(second.ids).toEqual(alone(next, 6));
    // A surplus step has put the last token of the first turn in.
    expect(second.numHitTokens).toBe(history.length);
    const edited = [...history.slice(0, 6), 99];
    const third = await turn('third', edited);
    expect(third).toMatchObject({ ids: alone(edited, 6), numHitTokens: 6 });
    engine.checkIntegrity();
    await engine.close();
  });

  it('keeps the blocks of a session while others come and go, and gives them up before it preempts', async () => {
    const { engine, add, turn, history } = await setUpSession();
    for (let i = 0; i < 12; i++) await add(`other ${i}`, [i, i, i, i, i, i, i], { maxTokens: 20 });
    expect((await turn('second', [...history, 7])).numHitTokens).toBe(history.length);
    const large = Array.from({ length: 50 }, (_, i) => 200 + i);
    expect((await add('large', large, { maxTokens: 14 })).ids).toEqual(alone(large, 14));
    expect(engine.sessions.find('talk')).toBeNull();
    expect(engine.stats().numPreemptions).toBe(0);
    await engine.close();
    engine.checkIntegrity();
  });

  it('takes a session away and brings it back', async () => {
    const { engine, runner, add, turn, history } = await setUpSession();
    const saved = await engine.sessions.read('talk', async ({ blockTable, tokenIds }) => {
      engine.checkIntegrity();
      const before = runner.readBlocks(blockTable.blockIds);
      expect(engine.sessions.drop('talk')).toBe(true);
      for (let i = 0; i < 6; i++) await add(`meanwhile ${i}`, [i, 1, 2, 3], { maxTokens: 40 });
      // Held while it is read, although the session was dropped.
      expect(runner.readBlocks(blockTable.blockIds)).toEqual(before);
      return { tokenIds, words: before };
    });
    if (saved === null) throw new Error('the session was not found');
    for (let i = 0; i < 6; i++) await add(`later ${i}`, [9, i, 1, 2, 3], { maxTokens: 40 });
    const write = (blockIds: readonly number[]) => runner.writeBlocks(blockIds, saved.words);
    expect(engine.sessions.restore('talk', saved.tokenIds, write)).toBe(true);
    engine.checkIntegrity();
    const next = [...history, 3];
    expect(await turn('second', next)).toMatchObject({
      ids: alone(next, 6),
      numHitTokens: history.length,
    });
    expect(engine.sessions.restore('huge', Array(65).fill(1), write)).toBe(false);
    expect(await engine.sessions.read('nobody', async () => 1)).toBeNull();
    await engine.close();
    engine.checkIntegrity();
  });

  it('trusts nothing on the GPU after a step was lost', async () => {
    let isLost = false;
    const { engine, add } = setUp(
      {},
      {
        onSubmit: () => {
          if (isLost) throw new Error('lost');
        },
      },
    );
    await engine.add({ id: 'a', promptIds: prompt, params: GREEDY, session: 'talk' });
    isLost = true;
    await expect(add('b', PROMPT)).rejects.toThrow('lost');
    isLost = false;
    expect(engine.sessions.find('talk')).toBeNull();
    expect((await add('c', prompt)).numHitTokens).toBe(0);
    await engine.close();
    engine.checkIntegrity();
  });

  it('shares nothing with a request that does not want to', async () => {
    const { engine, runner } = setUp();
    const run = (id: string, shares: boolean) =>
      engine.add({ id, promptIds: prompt, params: { ...GREEDY, maxTokens: 3 }, shares });
    expect(await run('a', false)).toMatchObject({ numHitTokens: 0 });
    expect(await run('b', true)).toMatchObject({ numHitTokens: 0 });
    expect(await run('c', false)).toMatchObject({ numHitTokens: 0, ids: alone(prompt, 3) });
    expect(await run('d', true)).toMatchObject({ numHitTokens: 8, ids: alone(prompt, 3) });
    expect(runner.batches.length).toBeGreaterThan(0);
    await engine.close();
    engine.checkIntegrity();
  });
});

describe('Engine.fail', () => {
  it('fails every request with the reason, now and later, and frees everything', async () => {
    const { engine, add, expectEmpty } = setUp();
    const lost = new TabmindError('device-lost', 'gone');
    const all = ['a', 'b'].map((id) => expect(add(id, PROMPT)).rejects.toBe(lost));
    await Promise.resolve();
    engine.fail(lost);
    engine.fail(new TabmindError('internal', 'what follows from it'));
    await Promise.all(all);
    await expect(add('c', PROMPT)).rejects.toBe(lost);
    await expect(engine.borrow(4, async () => 0)).rejects.toBe(lost);
    await engine.close();
    expectEmpty();
  });
});

describe('Engine.borrow', () => {
  it('keeps a place out of scheduling, makes requests wait for it, and puts it back whatever happens', async () => {
    const { engine, add, expectEmpty } = setUp({ numBlocks: 4 });
    let free: () => void = () => undefined;
    const held = engine.borrow(14, async ({ blockTable }) => {
      engine.checkIntegrity();
      expect(blockTable.blockIds).toHaveLength(4);
      await new Promise<void>((resolve) => {
        free = resolve;
      });
      return 'done';
    });
    await expect(engine.borrow(1, async () => 0)).rejects.toMatchObject({ code: 'context-full' });
    let ended = false;
    const waiting = add('a', [1, 2, 3], { maxTokens: 3 }).then((completion) => {
      ended = true;
      return completion;
    });
    await turns(20);
    expect(ended).toBe(false);
    free();
    expect(await held).toBe('done');
    expect((await waiting).ids).toHaveLength(3);
    await expect(engine.borrow(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expectEmpty();
  });
});
