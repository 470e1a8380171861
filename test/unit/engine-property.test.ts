import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Completion, Engine } from '../../src/engine/engine';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import { nextId, PagedRunner, turns } from './paged-runner';

const VOCAB_SIZE = 64;
const EOS = 0;

const sizesOf = fc.record({
  numBlocks: fc.integer({ min: 4, max: 14 }),
  blockTokens: fc.constantFrom(1, 2, 4),
  maxSlots: fc.integer({ min: 1, max: 5 }),
  maxChunkTokens: fc.integer({ min: 1, max: 7 }),
  contextLength: fc.integer({ min: 8, max: 60 }),
  stepsInFlight: fc.integer({ min: 1, max: 4 }),
});

const requestOf = fc.record({
  promptIds: fc.array(fc.integer({ min: 1, max: VOCAB_SIZE - 1 }), { minLength: 1, maxLength: 12 }),
  maxTokens: fc.integer({ min: 1, max: 40 }),
  seed: fc.nat({ max: 3 }),
  ignoreEos: fc.boolean(),
  stopTokenIds: fc.array(fc.integer({ min: 1, max: VOCAB_SIZE - 1 }), { maxLength: 1 }),
  arrival: fc.nat({ max: 20 }),
  /** Turns of the event loop after arrival. */
  abort: fc.option(fc.nat({ max: 120 }), { freq: 3 }),
});

const latenciesOf = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 40 });

type Sizes = typeof sizesOf extends fc.Arbitrary<infer T> ? T : never;
type Request = typeof requestOf extends fc.Arbitrary<infer T> ? T : never;

function paramsOf({ maxTokens, seed, ignoreEos, stopTokenIds }: Request): SamplingParams {
  return { ...GREEDY, maxTokens, seed, ignoreEos, stopTokenIds };
}

/** What a request gives with the engine to itself; null when it can never fit. */
function runAlone(request: Request, sizes: Sizes): Pick<Completion, 'ids' | 'reason' | 'stopTokenId'> | null {
  const { promptIds, maxTokens, seed, ignoreEos, stopTokenIds } = request;
  const limit = Math.min(sizes.contextLength, sizes.numBlocks * sizes.blockTokens);
  if (promptIds.length + 1 > limit) return null;
  const history = [...promptIds];
  while (history.length < Math.min(limit, promptIds.length + maxTokens)) {
    const id = nextId(seed, history, VOCAB_SIZE);
    history.push(id);
    if (stopTokenIds.includes(id) || (!ignoreEos && id === EOS))
      return { ids: history.slice(promptIds.length), reason: 'stop', stopTokenId: id };
  }
  return { ids: history.slice(promptIds.length), reason: 'length', stopTokenId: null };
}

async function runTogether(sizes: Sizes, requests: readonly Request[], latencies: readonly number[]) {
  let numWaits = 0;
  const runner = new PagedRunner({
    ...sizes,
    vocabSize: VOCAB_SIZE,
    latency: () => latencies[numWaits++ % latencies.length] ?? 0,
    onSubmit: (_, numSubmitted) => {
      engine.checkIntegrity();
      // A request takes at most 12 chunks and 40 decode steps a life; more steps than this is thrashing.
      if (numSubmitted > 5000) throw new Error('no end in sight');
    },
  });
  const engine = new Engine(runner, { ...sizes, eosTokenIds: [EOS] });
  const outcomes = await Promise.all(
    requests.map(async (request, i) => {
      await turns(request.arrival);
      const streamed: number[] = [];
      const pending = engine.add({
        id: `r${i}`,
        promptIds: request.promptIds,
        params: paramsOf(request),
        onTokens: (ids) => streamed.push(...ids),
      });
      const aborting = request.abort === null ? null : turns(request.abort).then(() => engine.abort(`r${i}`));
      const [outcome] = await Promise.allSettled([pending, aborting]);
      engine.checkIntegrity();
      return { request, outcome, streamed };
    }),
  );
  await engine.close();
  engine.checkIntegrity();
  expect(runner.maxInFlight).toBeLessThanOrEqual(sizes.stepsInFlight);
  return { outcomes, stats: engine.stats() };
}

describe('Engine, over random loads', () => {
  it('gives every request the ids of its run alone, leaks nothing and ends', async () => {
    let [numPreemptions, numAborted, numFinished] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        sizesOf,
        fc.array(requestOf, { minLength: 1, maxLength: 9, size: 'max' }),
        latenciesOf,
        async (sizes, requests, latencies) => {
          const { outcomes, stats } = await runTogether(sizes, requests, latencies);
          for (const { request, outcome, streamed } of outcomes) {
            const expected = runAlone(request, sizes);
            if (outcome.status === 'rejected') {
              expect(outcome.reason).toMatchObject({ code: 'context-full' });
              expect(expected).toBeNull();
              continue;
            }
            const { reason, ids, stopTokenId } = outcome.value;
            if (reason === 'abort') {
              numAborted++;
              expect(request.abort).not.toBeNull();
              expect(ids).toEqual(expected?.ids.slice(0, ids.length));
            } else {
              numFinished++;
              expect({ reason, ids, stopTokenId }).toEqual(expected);
            }
            expect(streamed).toEqual(stopTokenId === null ? ids : ids.slice(0, -1));
          }
          expect(stats).toMatchObject({ running: 0, waiting: 0, kvBlocksUsed: 0 });
          numPreemptions += stats.numPreemptions;
        },
      ),
      { numRuns: 400 },
    );
    // The loads must really reach these states, or the property says little.
    expect(numPreemptions).toBeGreaterThan(50);
    expect(numAborted).toBeGreaterThan(50);
    expect(numFinished).toBeGreaterThan(500);
  }, 60_000);

  it('lets running requests decode between the chunks of a long prompt, and the prompt between theirs', async () => {
    const runner = new PagedRunner({
      numBlocks: 200,
      blockTokens: 4,
      maxSlots: 3,
      maxChunkTokens: 4,
      vocabSize: VOCAB_SIZE,
    });
    const engine = new Engine(runner, {
      numBlocks: 200,
      blockTokens: 4,
      contextLength: 400,
      eosTokenIds: [],
    });
    const add = (id: string, promptIds: readonly number[], maxTokens: number) =>
      engine.add({ id, promptIds, params: { ...GREEDY, maxTokens } });
    const short = add('short', [1, 2, 3], 200);
    await turns(10);
    await Promise.all([
      short,
      add(
        'long',
        Array.from({ length: 200 }, (_, i) => i % 60),
        5,
      ),
    ]);
    const phases = runner.batches.map(({ phase }) => phase);
    const chunks = phases.flatMap((phase, i) => (phase === 'prefill' ? [i] : [])).slice(1);
    expect(chunks).toHaveLength(50);
    for (const [i, at] of chunks.entries()) expect(at).toBe((chunks[0] ?? 0) + 2 * i);
  });
});
