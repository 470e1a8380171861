import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine';
import type { Completion, EngineOptions } from '../../src/engine/request';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import {
  chooseId,
  logprobOf,
  PagedRunner,
  type PagedRunnerOptions,
  repeatingId,
  turns,
} from './paged-runner';

const VOCAB_SIZE = 64;

function setUp(options: Partial<EngineOptions> = {}, runnerOptions: Partial<PagedRunnerOptions> = {}) {
  const sizes = { numBlocks: 64, blockTokens: 4 };
  const runner = new PagedRunner({
    ...sizes,
    maxSlots: 4,
    maxChunkTokens: 8,
    vocabSize: VOCAB_SIZE,
    model: repeatingId,
    ...runnerOptions,
  });
  const engine = new Engine(runner, {
    contextLength: 200,
    eosTokenIds: [],
    draftsPay: () => true,
    ...sizes,
    ...options,
  });
  const add = (
    id: string,
    promptIds: readonly number[],
    params: Partial<SamplingParams> = {},
  ): Promise<Completion> =>
    engine.add({ id, promptIds, params: { ...GREEDY, maxTokens: 60, speculative: 'auto', ...params } });
  return { engine, runner, add };
}

function alone(promptIds: readonly number[], numTokens: number, params: Partial<SamplingParams> = {}) {
  const history = [...promptIds];
  const choice = { params: { ...GREEDY, ...params }, numPromptTokens: promptIds.length, endIds: [] };
  while (history.length < promptIds.length + numTokens)
    history.push(chooseId(choice, history, VOCAB_SIZE, repeatingId));
  return history.slice(promptIds.length);
}

const PROMPT = [1, 2, 3, 4];

describe('Engine, verifying drafts', () => {
  it.each([1, 2, 3, 4])(
    'gives the ids of plain steps in fewer of them, %d in flight',
    async (stepsInFlight) => {
      const { engine, runner, add } = setUp({ stepsInFlight });
      const drafted = await add('a', PROMPT);
      const numSteps = runner.batches.length;
      const plain = await add('b', PROMPT, { speculative: 'off' });
      expect(drafted.ids).toEqual(alone(PROMPT, 60));
      expect(plain.ids).toEqual(drafted.ids);
      expect(numSteps).toBeLessThan(45);
      expect(runner.batches.length - numSteps).toBe(60);
      const { draftTokens, acceptedDraftTokens } = drafted.timings;
      expect(acceptedDraftTokens).toBeGreaterThan(15);
      expect(draftTokens).toBeGreaterThanOrEqual(acceptedDraftTokens);
      expect(plain.timings).toMatchObject({ draftTokens: 0, acceptedDraftTokens: 0 });
      expect(engine.stats()).toMatchObject({ draftTokens, acceptedDraftTokens, tokensGenerated: 120 });
      await engine.close();
      engine.checkIntegrity();
    },
  );

  it('gives the ids of seeds, penalties and bad words, and their logprobs', async () => {
    const ask = { seed: 3, frequencyPenalty: -0.3, badWords: [[7], [8, 9]], topLogprobs: 1 };
    const { engine, add } = setUp();
    const { ids, logprobs } = await add('a', PROMPT, ask);
    expect(ids).toEqual(alone(PROMPT, 60, ask));
    expect(logprobs).toEqual(ids.map((id, i) => logprobOf([...PROMPT, ...ids.slice(0, i)], id)));
    expect(engine.stats().draftTokens).toBeGreaterThan(0);
  });

  it('ends at a stop id in the middle of a draft, and gives nothing behind it', async () => {
    for (const place of Array.from({ length: 30 }, (_, i) => i + 20)) {
      const expected = alone(PROMPT, 60);
      const stop = expected[place] ?? -1;
      const { engine, add } = setUp();
      const { ids, reason } = await add('a', PROMPT, { stopTokenIds: [stop] });
      expect(reason).toBe('stop');
      expect(ids).toEqual(expected.slice(0, expected.indexOf(stop) + 1));
      await engine.close();
      engine.checkIntegrity();
    }
  });

  it('drafts for a sequence that runs alone only, and goes on in plain steps when another comes', async () => {
    const { engine, runner, add } = setUp();
    const first = add('a', PROMPT, { maxTokens: 150 });
    while (!runner.batches.some(({ prefills }) => prefills[0]?.verifies)) await turns(1);
    const second = add('b', [9, 9], { maxTokens: 20 });
    const [a, b] = await Promise.all([first, second]);
    expect(a.ids).toEqual(alone(PROMPT, 150));
    expect(b.ids).toEqual(alone([9, 9], 20));
    for (const { rows, prefills } of runner.batches) if (prefills[0]?.verifies) expect(rows).toEqual([]);
    const slots = new Set(
      runner.batches.flatMap(({ prefills }) =>
        prefills.flatMap(({ verifies, slot }) => (verifies ? slot : [])),
      ),
    );
    expect(slots.size).toBeGreaterThan(0);
    // A row that follows a draft brings its token.
    expect(runner.batches.some(({ rows }) => rows.some(({ tokenId }) => tokenId !== null))).toBe(true);
    await engine.close();
    engine.checkIntegrity();
  });

  it('takes no step of a lone sequence away when blocks for a draft are short', async () => {
    // Room for the sequence, and for no token more than that.
    const { engine, add } = setUp({ numBlocks: 16, contextLength: 64 }, { numBlocks: 16 });
    expect((await add('a', PROMPT, { maxTokens: 60 })).ids).toEqual(alone(PROMPT, 60));
    await engine.close();
    engine.checkIntegrity();
  });

  it('keeps what a session needs when it ends in a draft', async () => {
    const { engine, add } = setUp();
    const { ids } = await engine.add({
      id: 'a',
      promptIds: PROMPT,
      params: { ...GREEDY, maxTokens: 41, speculative: 'auto' },
      session: 'one',
    });
    const held = engine.sessions.find('one')?.tokenIds ?? [];
    expect([...PROMPT, ...ids].slice(0, held.length)).toEqual(held);
    expect(held.length).toBeGreaterThanOrEqual(PROMPT.length + ids.length - 1);
    const next = await add('b', [...PROMPT, ...ids, 5], { maxTokens: 30 });
    expect(next.ids).toEqual(alone([...PROMPT, ...ids, 5], 30));
    expect(next.numHitTokens).toBeGreaterThanOrEqual(held.length);
  });

  it('fails and frees everything when the device is lost in a draft', async () => {
    const { engine, add } = setUp(
      {},
      {
        onExecute: ({ prefills }) => {
          if (prefills[0]?.verifies) throw new Error('lost');
        },
      },
    );
    await expect(add('a', PROMPT)).rejects.toMatchObject({ message: 'lost' });
    await engine.close();
    engine.checkIntegrity();
    expect(engine.stats()).toMatchObject({ running: 0, kvBlocksUsed: 0 });
  });
});
