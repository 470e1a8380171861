import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine';
import type { Completion } from '../../src/engine/request';
import { GREEDY, type SamplingParams } from '../../src/engine/sampling-params';
import { chooseId, type Model, nextId, PagedRunner, repeatingId, turns } from './paged-runner';

const VOCAB_SIZE = 64;
const EOS = 0;

const sizesOf = fc.record({
  numBlocks: fc.integer({ min: 4, max: 14 }),
  blockTokens: fc.constantFrom(1, 2, 4),
  maxSlots: fc.integer({ min: 1, max: 5 }),
  maxChunkTokens: fc.integer({ min: 1, max: 7 }),
  contextLength: fc.integer({ min: 8, max: 60 }),
  stepsInFlight: fc.integer({ min: 1, max: 4 }),
  /** With one that says the same again, drafts are often right. */
  model: fc.constantFrom<Model>(nextId, repeatingId),
  /** Steps that are lost, with all in flight. */
  lost: fc.array(fc.nat({ max: 60 }), { maxLength: 2 }),
});

const tokenOf = fc.integer({ min: 1, max: VOCAB_SIZE - 1 });

/** Starts of prompts that many requests share, like a system prompt. */
const STARTS = [1, 2].map((start) =>
  Array.from({ length: 12 }, (_, i) => (start * 7 + i * 5) % (VOCAB_SIZE - 1)),
);

const promptOf = fc
  .record({
    start: fc.constantFrom(...STARTS),
    numShared: fc.nat({ max: 12 }),
    own: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }),
  })
  .map(({ start, numShared, own }) => [...start.slice(0, numShared), ...own])
  .filter(({ length }) => length > 0);

const requestOf = fc.record({
  promptIds: promptOf,
  priority: fc.nat({ max: 2 }),
  session: fc.constantFrom(undefined, 'one', 'two'),
  /** A second turn: how many tokens of the first are kept (of 100), and what is said then. */
  next: fc.option(
    fc.record({ kept: fc.nat({ max: 100 }), said: fc.array(tokenOf, { minLength: 1, maxLength: 5 }) }),
  ),
  maxTokens: fc.integer({ min: 1, max: 40 }),
  seed: fc.nat({ max: 3 }),
  ignoreEos: fc.boolean(),
  stopTokenIds: fc.array(tokenOf, { maxLength: 1 }),
  frequencyPenalty: fc.constantFrom(0, 0, 0, 0.5),
  badWords: fc.array(fc.array(tokenOf, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
  minTokens: fc.nat({ max: 8 }),
  speculative: fc.constantFrom('auto', 'always', 'off'),
  arrival: fc.nat({ max: 20 }),
  /** Turns of the event loop after arrival. */
  abort: fc.option(fc.nat({ max: 120 }), { freq: 3 }),
  /** Another priority, so many turns after arrival. */
  change: fc.option(fc.record({ after: fc.nat({ max: 60 }), priority: fc.nat({ max: 2 }) })),
});

const latenciesOf = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 40 });

type Sizes = typeof sizesOf extends fc.Arbitrary<infer T> ? T : never;
type Request = typeof requestOf extends fc.Arbitrary<infer T> ? T : never;

function paramsOf(request: Request): SamplingParams {
  const { maxTokens, seed, ignoreEos, stopTokenIds, frequencyPenalty, badWords, minTokens, speculative } =
    request;
  return {
    ...GREEDY,
    ...{ maxTokens, seed, ignoreEos, stopTokenIds, frequencyPenalty, badWords, speculative },
    minTokens: Math.min(minTokens, maxTokens),
  };
}

/** What a request gives with the engine to itself; null when it can never fit. */
function runAlone(request: Request, sizes: Sizes): Pick<Completion, 'ids' | 'reason' | 'stopTokenId'> | null {
  const { promptIds, maxTokens, ignoreEos, stopTokenIds } = request;
  const limit = Math.min(sizes.contextLength, sizes.numBlocks * sizes.blockTokens);
  if (promptIds.length + 1 > limit) return null;
  const endIds = [...stopTokenIds, ...(ignoreEos ? [] : [EOS])];
  const choice = { params: paramsOf(request), numPromptTokens: promptIds.length, endIds };
  const history = [...promptIds];
  while (history.length < Math.min(limit, promptIds.length + maxTokens)) {
    const id = chooseId(choice, history, VOCAB_SIZE, sizes.model);
    history.push(id);
    if (endIds.includes(id)) return { ids: history.slice(promptIds.length), reason: 'stop', stopTokenId: id };
  }
  return { ids: history.slice(promptIds.length), reason: 'length', stopTokenId: null };
}

interface Outcome {
  readonly request: Request;
  readonly result: PromiseSettledResult<Completion>;
  readonly streamed: readonly number[];
}

/** What the second turn of a conversation sends: a start of the first one, then something new. */
function nextTurn(request: Request, { ids }: Completion): Request | null {
  if (request.next === null) return null;
  const history = [...request.promptIds, ...ids];
  const kept = history.slice(0, Math.floor((history.length * request.next.kept) / 100));
  return { ...request, promptIds: [...kept, ...request.next.said], arrival: 0, abort: null, next: null };
}

async function runOne(engine: Engine, id: string, request: Request): Promise<readonly Outcome[]> {
  await turns(request.arrival);
  const streamed: number[] = [];
  const { promptIds, priority, session } = request;
  const pending = engine.add({
    id,
    promptIds,
    priority,
    ...(session === undefined ? {} : { session }),
    params: paramsOf(request),
    onTokens: (ids) => streamed.push(...ids),
  });
  const aborting = request.abort === null ? null : turns(request.abort).then(() => engine.abort(id));
  const { change } = request;
  const changing = change && turns(change.after).then(() => engine.setPriority(id, change.priority));
  const [result] = await Promise.allSettled([pending, aborting, changing]);
  engine.checkIntegrity();
  const outcome = { request, result, streamed };
  const next = result.status === 'fulfilled' ? nextTurn(request, result.value) : null;
  return next === null ? [outcome] : [outcome, ...(await runOne(engine, `${id} again`, next))];
}

async function runTogether(sizes: Sizes, requests: readonly Request[], latencies: readonly number[]) {
  let numWaits = 0;
  const runner = new PagedRunner({
    ...sizes,
    vocabSize: VOCAB_SIZE,
    latency: () => latencies[numWaits++ % latencies.length] ?? 0,
    onSubmit: (_, numSubmitted) => {
      engine.checkIntegrity();
      // A request takes at most 60 chunks and 40 decode steps a life; more steps than this is thrashing.
      if (numSubmitted > 8000) throw new Error('no end in sight');
    },
  });
  const engine = new Engine(runner, { ...sizes, eosTokenIds: [EOS], draftsPay: () => true });
  const all = await Promise.all(requests.map((request, i) => runOne(engine, `r${i}`, request)));
  for (const id of ['one', 'two']) engine.sessions.drop(id);
  await engine.close();
  engine.checkIntegrity();
  expect(runner.maxInFlight).toBeLessThanOrEqual(sizes.stepsInFlight);
  const numCopies = runner.batches.reduce((sum, { copies }) => sum + copies.length, 0);
  return { outcomes: all.flat(), stats: engine.stats(), numCopies, numRecoveries: runner.numRecoveries };
}

/** Runs `numRuns` random loads of up to `maxRequests` requests, and counts the states that they reach. */
async function checkLoads(maxRequests: number, numRuns: number) {
  const counts = {
    recovered: 0,
    preempted: 0,
    aborted: 0,
    finished: 0,
    hit: 0,
    copied: 0,
    right: 0,
    wrong: 0,
  };
  await fc.assert(
    fc.asyncProperty(
      sizesOf,
      fc.array(requestOf, { minLength: 1, maxLength: maxRequests, size: 'max' }),
      latenciesOf,
      async (sizes, requests, latencies) => {
        const { outcomes, stats, numCopies, numRecoveries } = await runTogether(sizes, requests, latencies);
        for (const outcome of outcomes) {
          const ended = checkOutcome(outcome, sizes);
          if (ended !== null) counts[ended]++;
        }
        expect(stats).toMatchObject({ running: 0, waiting: 0, kvBlocksUsed: 0 });
        expect(stats.kvBlocksCached + stats.kvBlocksFree).toBe(sizes.numBlocks);
        counts.recovered += numRecoveries;
        counts.preempted += stats.numPreemptions;
        counts.hit += stats.prefixHitTokens;
        counts.copied += numCopies;
        counts.right += stats.acceptedDraftTokens;
        counts.wrong += stats.draftTokens - stats.acceptedDraftTokens;
      },
    ),
    { numRuns },
  );
  return counts;
}

/** Compares a request with its run alone; how it ended, or null when it could never fit. */
function checkOutcome({ request, result, streamed }: Outcome, sizes: Sizes): 'aborted' | 'finished' | null {
  const expected = runAlone(request, sizes);
  if (result.status === 'rejected') {
    expect(result.reason).toMatchObject({ code: 'context-full' });
    expect(expected).toBeNull();
    return null;
  }
  const { reason, ids, stopTokenId, numHitTokens } = result.value;
  expect(numHitTokens).toBeLessThan(request.promptIds.length);
  expect(streamed).toEqual(stopTokenId === null ? ids : ids.slice(0, -1));
  if (reason !== 'abort') {
    expect({ reason, ids, stopTokenId }).toEqual(expected);
    return 'finished';
  }
  expect(request.abort).not.toBeNull();
  expect(ids).toEqual(expected?.ids.slice(0, ids.length));
  return 'aborted';
}

describe('Engine, over random loads', () => {
  it('gives every request the ids of its run alone, leaks nothing and ends', async () => {
    const counts = await checkLoads(9, 400);
    // The loads must really reach these states, or the property says little.
    expect(counts.recovered).toBeGreaterThan(50);
    expect(counts.preempted).toBeGreaterThan(50);
    expect(counts.aborted).toBeGreaterThan(50);
    expect(counts.finished).toBeGreaterThan(500);
    expect(counts.hit).toBeGreaterThan(2000);
    expect(counts.copied).toBeGreaterThan(200);
  }, 60_000);

  it('does so with the drafts of requests that run alone for a while', async () => {
    const counts = await checkLoads(2, 3000);
    expect(counts.preempted).toBeGreaterThan(20);
    expect(counts.right).toBeGreaterThan(200);
    expect(counts.wrong).toBeGreaterThan(60);
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
    const chunks = runner.batches.flatMap(({ rows, prefills }) => prefills.map(() => rows.length));
    // Its own prompt, then fifty chunks, each of which joins a step of the other.
    expect(chunks).toEqual([0, ...Array(50).fill(1)]);
  });
});
