/** The browser half of `npm run bench`: loads a model through the normal path and times requests of random ids. */

import { createEngine, type LoadOptions, type ModelRef } from '../../src/index';

interface BenchCase {
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly runs: number;
}

const engine = createEngine();

async function load(model: ModelRef, options: LoadOptions) {
  const info = await engine.load(model, options);
  return { info, stats: await engine.stats() };
}

/** One warm-up, then `runs` timed requests, each with fresh random ids so that nothing can be reused. */
async function measure({ promptTokens, newTokens, runs }: BenchCase) {
  const vocabSize = (await engine.stats()).model?.vocabSize ?? 0;
  const results = [];
  for (let run = -1; run < runs; run++) {
    const ids = Array.from({ length: promptTokens }, () => Math.floor(Math.random() * vocabSize));
    const { timings, usage } = await engine.generate({
      ids,
      max_tokens: newTokens,
      temperature: 0,
      ignore_eos: true,
    });
    if (run >= 0) results.push({ ...timings, newTokens: usage.completion_tokens });
  }
  return results;
}

/** Mean GPU microseconds of each kernel in a decode step, and how often it runs. */
async function profile(position: number) {
  const rounds = 5;
  const totals: Record<string, { count: number; microseconds: number }> = {};
  for (let round = -1; round < rounds; round++)
    for (const { kernel, microseconds } of await engine.profile(position)) {
      if (round < 0) continue;
      const total = totals[kernel] ?? { count: 0, microseconds: 0 };
      totals[kernel] = {
        count: total.count + 1 / rounds,
        microseconds: total.microseconds + microseconds / rounds,
      };
    }
  return totals;
}

Object.assign(globalThis, { tabmindBench: { load, measure, profile } });
