import { describe, expect, it } from 'vitest';
import type { TokenLogprob } from '../../src/engine/batch';
import { Engine } from '../../src/engine/engine';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import { chooseId, logprobOf, nextId, PagedRunner } from './paged-runner';

// Small, so that penalties and bans decide often.
const VOCAB_SIZE = 12;
const EOS = 0;

function setUp(numBlocks = 64) {
  const sizes = { numBlocks, blockTokens: 4 };
  const runner = new PagedRunner({ ...sizes, maxSlots: 4, maxChunkTokens: 8, vocabSize: VOCAB_SIZE });
  return new Engine(runner, { ...sizes, contextLength: 128, eosTokenIds: [EOS] });
}

/** What a request gives by itself. */
function alone(promptIds: readonly number[], params: SamplingParams): readonly number[] {
  const history = [...promptIds];
  const endIds = [...params.stopTokenIds, ...(params.ignoreEos ? [] : [EOS])];
  const choice = { params, numPromptTokens: promptIds.length, endIds };
  while (history.length < promptIds.length + params.maxTokens) {
    const id = chooseId(choice, history, VOCAB_SIZE);
    history.push(id);
    if (endIds.includes(id)) break;
  }
  return history.slice(promptIds.length);
}

const ASKS: Readonly<Record<string, Partial<SamplingParams>>> = {
  'a frequency penalty': { frequencyPenalty: 1 },
  'banned ids': {
    logitBias: new Map([
      [3, -100],
      [4, -100],
    ]),
  },
  'bad words': {
    badWords: [
      [1, 2],
      [5, 6, 7],
      [8, 9],
      [9, 8],
    ],
  },
  'a least length': { minTokens: 9, ignoreEos: false, stopTokenIds: [5, 6, 7] },
  'a seed': { seed: 7 },
};

describe('Engine, asked for', () => {
  it.each(Object.entries(ASKS))('%s, preempts and computes again without a changed id', async (_, ask) => {
    const engine = setUp(8);
    const prompts = [1, 2, 3].map((n) => [n, 1, 2, 5, 6]);
    const params = { ...GREEDY, maxTokens: 16, ignoreEos: true, topLogprobs: 1, ...ask };
    const completions = await Promise.all(
      prompts.map((promptIds, i) => engine.add({ id: `r${i}`, promptIds, params })),
    );
    for (const [i, { ids, logprobs }] of completions.entries()) {
      const promptIds = prompts[i] ?? [];
      expect(ids).toEqual(alone(promptIds, params));
      expect(logprobs).toEqual(ids.map((id, j) => logprobOf([...promptIds, ...ids.slice(0, j)], id)));
    }
    expect(engine.stats().numPreemptions).toBeGreaterThan(0);
    await engine.close();
    engine.checkIntegrity();
  });

  it('a least length, ends neither at eos nor at a stop id before', async () => {
    const engine = setUp();
    const promptIds = [4, 4];
    const first = nextId(0, promptIds, VOCAB_SIZE);
    const params = { ...GREEDY, maxTokens: 40, stopTokenIds: [first] };
    const short = await engine.add({ id: 'a', promptIds, params });
    expect(short).toMatchObject({ reason: 'stop', ids: [first] });
    const long = await engine.add({ id: 'b', promptIds, params: { ...params, minTokens: 10 } });
    expect(long.ids.length).toBeGreaterThan(10);
    expect(long.ids.slice(0, 10)).not.toContain(first);
    expect(long.ids.slice(0, 10)).not.toContain(EOS);
    expect(long.reason).toBe('stop');
  });

  it('logprobs, streams them with their ids; others get none', async () => {
    const engine = setUp();
    const streamed: (readonly TokenLogprob[] | null)[] = [];
    const [asked, plain] = await Promise.all([
      engine.add({
        id: 'asked',
        promptIds: [1, 2],
        params: { ...GREEDY, maxTokens: 5, ignoreEos: true, topLogprobs: 0 },
        onTokens: (_, logprobs) => streamed.push(logprobs),
      }),
      engine.add({ id: 'plain', promptIds: [3], params: { ...GREEDY, maxTokens: 5, ignoreEos: true } }),
    ]);
    expect(streamed).toEqual(asked.logprobs?.map((logprob) => [logprob]));
    expect(streamed).toHaveLength(5);
    expect(plain.logprobs).toBeNull();
  });
});
