/** The browser half of `npm run check` and `npm run eval`: the engine as a page gets it, driven from Node. */

import {
  createEngine,
  type LoadOptions,
  type LoadProgress,
  type ModelRef,
  TabmindError,
} from '../../src/index';
import { uploadSpeeds } from '../convert/upload-speed';

let engine = createEngine();
let progress = 'not started';

/** Loads through the normal path; errors come back as data because they are often what is expected. */
async function load(model: ModelRef, options: LoadOptions) {
  try {
    const start = performance.now();
    let convertMs = 0;
    const onProgress = ({ phase, loadedBytes, totalBytes }: LoadProgress) => {
      if (phase === 'compile' && convertMs === 0) convertMs = performance.now() - start;
      progress = `${phase} ${loadedBytes}/${totalBytes}`;
    };
    return {
      info: await engine.load(model, { ...options, onProgress }),
      gpu: (await engine.stats()).gpu,
      convertMs,
    };
  } catch (thrown) {
    return { error: TabmindError.from(thrown).toPlain() };
  }
}

/** Teacher-forced figures of `ids` followed by `completion`. */
async function compare(ids: readonly number[], completion: readonly number[]) {
  const all = [...ids, ...completion.slice(0, -1)];
  const { logits, vocabSize } = await engine.score({ ids: all, positions: 'all' });
  const argmax: number[] = [];
  for (let position = 0; position < all.length; position++) {
    const row = logits.subarray(position * vocabSize, (position + 1) * vocabSize);
    let best = 0;
    for (let id = 1; id < vocabSize; id++) if ((row[id] ?? 0) > (row[best] ?? 0)) best = id;
    argmax.push(best);
  }
  const last = logits.slice((ids.length - 1) * vocabSize, ids.length * vocabSize);
  return { last: [...last], argmax };
}

async function generate(ids: readonly number[], count: number) {
  const plain = { temperature: 0, repetition_penalty: 1, ignore_eos: true };
  const result = await engine.generate({ ids, max_tokens: count, ...plain });
  return result.ids;
}

/** One warm-up, then the times of a request. */
async function time(ids: readonly number[], count: number) {
  const request = { ids, max_tokens: count, temperature: 0, ignore_eos: true };
  await engine.generate(request);
  return (await engine.generate(request)).timings;
}

/** GPU time of each kernel of a decode step, summed by kernel; nothing without timestamp-query. */
async function profile(position: number) {
  if (!(await engine.stats()).gpu?.features.includes('timestamp-query')) return {};
  await engine.profile(position);
  const totals: Record<string, number> = {};
  for (const { kernel, microseconds } of await engine.profile(position))
    totals[kernel] = (totals[kernel] ?? 0) + microseconds;
  return totals;
}

/** Sum of −ln p(ids[i] | ids[<i]) over i = 1 …, and how many. */
async function negativeLogLikelihood(ids: readonly number[]) {
  const { logits, vocabSize } = await engine.score({ ids: ids.slice(0, -1), positions: 'all' });
  let sum = 0;
  for (let position = 0; position < ids.length - 1; position++) {
    const row = logits.subarray(position * vocabSize, (position + 1) * vocabSize);
    let top = Number.NEGATIVE_INFINITY;
    for (const value of row) top = Math.max(top, value);
    let total = 0;
    for (const value of row) total += Math.exp(value - top);
    sum += top + Math.log(total) - (row[ids[position + 1] ?? 0] ?? Number.NaN);
  }
  return { sum, count: ids.length - 1 };
}

/** How far the load has come, in words. */
function reached() {
  return progress;
}

/** Removes whatever is cached of a model. */
async function forget(id: string) {
  for (const cached of await engine.listCached()) if (cached.id === id) await engine.deleteCached(cached.key);
}

/** A fresh worker and GPU device. */
function restart() {
  engine.close();
  engine = createEngine();
}

Object.assign(globalThis, {
  tabmindCheck: {
    load,
    compare,
    generate,
    time,
    profile,
    uploads: uploadSpeeds,
    negativeLogLikelihood,
    reached,
    forget,
    restart,
  },
});
