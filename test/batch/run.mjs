// Sixteen sequences at once must give what each gives alone, in a real browser, through the normal load path.
//   node test/batch/run.mjs [FOLDER…] [--kv 16] [--full] [--browser-flags "…"] [--built DIR]
// A folder needs reference.json or expected.json: its prompts are the material. Without folders: the tiny llama, and the
// texts of the tiny storyteller. A model of some size gets short requests only, once, unless --full: a software adapter
// is slow. Greedy ids must be equal; where they are not, because kernels for more rows add up in another order, the model
// must have been undecided by the gap rule of `npm run check`.
import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';
import { acceptedError } from '../check/compare.mjs';
import { readReference } from '../check/reference.mjs';
import { checkKept, checkLayers } from './layers.mjs';
import { checkTexts } from './texts.mjs';

const { values, positionals } = readArguments({
  kv: { type: 'string', default: '16' },
  full: { type: 'boolean', default: false },
  'browser-flags': { type: 'string' },
  built: { type: 'string' },
});
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const given = positionals.length > 0 ? positionals : [at('../fixtures/models/llama')];
const folders = given.map((folder) => resolve(folder));
/** Its texts alone are checked: all else is as with any llama. */
const storyteller = positionals.length > 0 ? null : at('../fixtures/models/stories260k');
/** Layers that are not all alike: some without rope; K bias kept out of the cache of some. */
const layered = positionals.length > 0 ? [] : ['smollm3', 'qwen2-kbias-outlier'];
const root = values.built ?? (await buildPage(at('.'), 'batch'));
const roots = Object.fromEntries([
  ...folders.map((folder, i) => [`/models/${i}/`, folder]),
  ...(storyteller ? [['/models/storyteller/', storyteller]] : []),
  ...layered.map((name) => [`/models/${name}/`, layeredFolder(name)]),
]);
const { page, url, close } = await openPage({ root, roots, flags: values['browser-flags'] });
const kvBits = Number(values.kv);
const accepted = acceptedError({ kv: kvBits, weights: 16, f16: false }) ?? 5e-3;
const options = { cache: false, math: 'f32', weightBits: 16, headBits: 16, kvBits, maxSequences: 16 };
const contextLength = 256;
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindBatch[name](...args), [name, args]);

function layeredFolder(name) {
  return at(`../fixtures/models/${name}`);
}

const isLight = (folder) => !values.full && statSync(join(folder, 'model.safetensors')).size > 8e6;

/** Sixteen prompts of 3 to about 100 tokens; the first eight begin with the same. */
function requestsOf(folder) {
  const text = readReference(folder).prompts.flatMap(({ ids, greedy }) => [...ids, ...(greedy ?? [])]);
  const piece = (start, length) =>
    Array.from({ length }, (_, i) => text[(start + i) % text.length] ?? text[0]);
  const light = isLight(folder);
  const lengthOf = (i) => (light ? 3 + i : i < 8 ? 1 + 4 * i : 3 + 2 * (i - 8) ** 2);
  return Array.from({ length: 16 }, (_, i) => ({
    ids:
      i < 8
        ? [...piece(0, numShared(folder)), ...piece(97 * i + 3, lengthOf(i))]
        : piece(61 * i, lengthOf(i)),
    maxTokens: light ? 3 + (i % 4) : 8 + ((i * 5) % 12),
    arrival: light ? (i % 4) * 4 : [0, 0, 3, 10, 11, 20, 30, 30][i % 8] + (i < 8 ? 0 : 5),
    priority: i % 5 === 4 ? 1 : 0,
  }));
}

function numShared(folder) {
  return isLight(folder) ? 33 : 70;
}

const results = [];
function report(name, failures, note = '') {
  const ok = failures.length === 0;
  results.push(ok);
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${note && ` (${note})`}`);
  for (const failure of failures) console.log(`       ${failure}`);
}

/** What differs although the model was decided, and how often it was not. */
async function compare(requests, expected, measured) {
  const failures = [];
  let numUndecided = 0;
  for (const [i, { ids }] of requests.entries()) {
    const step = expected[i].findIndex((id, j) => measured[i][j] !== id);
    if (step < 0 && measured[i].length === expected[i].length) continue;
    const { gap, std } = await call('certainty', [...ids, ...expected[i].slice(0, step)]);
    if (step >= 0 && gap <= 8 * accepted * std) numUndecided++;
    else failures.push(`request ${i}: ${measured[i][step]}, not ${expected[i][step]} at ${step}; gap ${gap}`);
  }
  return { failures, note: numUndecided > 0 ? `${numUndecided} of 16 part where undecided` : 'all equal' };
}

async function checkFolder(folder, index) {
  const name = basename(folder);
  const model = { id: `batch/${name}`, url: `${url}models/${index}/` };
  const requests = requestsOf(folder);
  const startedMs = performance.now();
  await call('load', model, { ...options, contextLength, kvPoolMiB: 32 });
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
  console.log(`     ${name}: loaded after ${seconds()}`);
  const expected = await call('alone', requests);
  console.log(`     ${name}: single runs done after ${seconds()}`);

  const batch = await call('together', requests);
  const { failures, note } = await compare(requests, expected, batch.ids);
  if (batch.prefixHitTokens < 7 * (numShared(folder) - 1))
    failures.push(`only ${batch.prefixHitTokens} tokens were shared`);
  if (batch.kvBlocksUsed !== 0) failures.push(`${batch.kvBlocksUsed} blocks are still held`);
  const { prefixHitTokens, tokensPerStep, itlP95Ms } = batch;
  const figures = `${prefixHitTokens} tokens shared, ${tokensPerStep.toFixed(1)} tokens a step, ITL p95 at most ${itlP95Ms.toFixed(0)} ms`;
  report(`${name}: 16 at once`, failures, `${note}; ${figures}`);

  console.log(`     ${name}: ${seconds()}`);
  if (isLight(folder)) return;

  const again = await call('together', requests);
  const second = await compare(requests, expected, again.ids);
  if (again.cached.some((cached, i) => cached < requests[i].ids.length - 1))
    second.failures.push(`prompts were computed again: ${again.cached.join(' ')}`);
  report(`${name}: the same again, nothing but last tokens computed`, second.failures, second.note);

  await checkAsking(name, requests);
  await checkDrafts(name, requests);
  const kvPoolMiB = (12.5 * (await call('blockBytes'))) / 2 ** 20;
  await checkTurns(name, requests[9], model, { ...options, contextLength, kvPoolMiB });
  const tight = await call('together', requests);
  const third = await compare(requests, expected, tight.ids);
  if (tight.numPreemptions === 0) third.failures.push('nothing was preempted');
  report(
    `${name}: 16 at once in 12 blocks`,
    third.failures,
    `${third.note}; ${tight.numPreemptions} preemptions, ${tight.prefixHitTokens} tokens shared`,
  );
  console.log(`     ${name}: ${seconds()}`);
}

async function checkTurns(name, { ids }, model, reloadOptions) {
  const first = await call('turn', ids, 20, 'conversation');
  // what the reload brings back is put together from this save and a later one
  await call('save', 'conversation');
  const prompt = [...ids, ...first.ids, ...ids.slice(0, 5)];
  const next = await call('turn', prompt, 12, 'conversation');
  const [expected] = await call('alone', [{ ids: prompt, maxTokens: 12 }]);
  const { failures, note } = await compare([{ ids: prompt }], [expected], [next.ids]);
  // the last token of a turn is computed as well
  const numHeld = ids.length + first.ids.length;
  if (next.cached < numHeld) failures.push(`${next.cached} of ${numHeld} tokens were found again`);
  report(`${name}: a second turn computes only what is new`, failures, note);
  const rewound = await call('turn', [...ids, ...first.ids.slice(0, 7), ids[0] ?? 0], 1, 'conversation');
  const numKept = ids.length + 7;
  const words = rewound.cached < numKept ? [`${rewound.cached} of ${numKept} tokens were found again`] : [];
  report(`${name}: a rewound turn keeps the common start`, words);

  await call('turn', [...ids, ...first.ids], 1, 'conversation');
  const { isSaved, numTokens } = await call('reload', 'conversation', model, reloadOptions);
  const last = await call('turn', prompt, 12, 'conversation');
  const restored = await compare([{ ids: prompt }], [expected], [last.ids]);
  if (!isSaved || numTokens !== ids.length + first.ids.length + 1)
    restored.failures.push(`${numTokens} tokens came back`);
  if (last.cached !== ids.length + first.ids.length)
    restored.failures.push(`${last.cached} tokens were found after the reload`);
  report(`${name}: a session comes back after a reload`, restored.failures, restored.note);
}

/** Requests that ask for everything there is, each for something else. */
function askingRequests(requests) {
  const asks = [
    { temperature: 1, seed: 11 },
    { temperature: 0.8, top_k: 40, top_p: 0.95, repetition_penalty: 1.3, seed: 12 },
    { temperature: 0, frequency_penalty: 1.5, presence_penalty: 0.5 },
    { temperature: 1.2, min_p: 0.05, seed: 13, logprobs: true, top_logprobs: 3 },
  ];
  return asks.map((ask, i) => ({ ...ask, ids: requests[i + 2].ids, max_tokens: 8, ignore_eos: true }));
}

async function checkAsking(name, requests) {
  const asking = askingRequests(requests);
  const alone = await call('asked', asking, false);
  const failures = [];
  const differs = (what, ids) => ids.join() !== alone.join() && failures.push(`${what}: ${ids.join(' | ')}`);
  differs('together', await call('asked', asking, true));
  // What a request is given must not be chosen again once it is banned, by id or as the end of a phrase.
  const [first, second, third] = alone[2];
  const base = { ...asking[2], max_tokens: 3 };
  const bans = [
    [{ logit_bias: { [first]: -100 } }, 0, first],
    [{ bad_words: [[second]] }, 1, second],
    [{ bad_words: [[first, second, third]] }, 2, third],
  ];
  for (const [ban, place, id] of bans) {
    const [[...ids]] = await call('asked', [{ ...base, ...ban }], false);
    const isSameBefore = ids.slice(0, place).join() === alone[2].slice(0, place).join();
    if (!isSameBefore || ids[place] === id) failures.push(`${JSON.stringify(ban)} gives ${ids}`);
  }
  const stopping = { ...base, max_tokens: 8, stop_token_ids: [first] };
  const [stopped, kept] = await call('asked', [stopping, { ...stopping, min_tokens: 4 }], true);
  if (stopped.length !== 1 || kept.length < 5 || kept.slice(0, 4).includes(first))
    failures.push(`a stop id ended ${stopped} and ${kept}`);
  const { error, numTokens, numTop } = await call('logprobError', asking[1]);
  if (!(error < 2e-3) || numTokens !== 8 || numTop !== 5)
    failures.push(`logprobs of ${numTokens} tokens are ${error} off the scores`);
  report(`${name}: penalties, bans, seeds, logprobs`, failures, `logprobs within ${error.toExponential(1)}`);
}

/** Drafts must change no token, and must come about: who may say only two things says the same again. */
async function checkDrafts(name, requests) {
  const { ids } = requests[9];
  const [one, other] = new Set(requests.flatMap((request) => request.ids));
  const logit_bias = { [one]: 100, [other]: 100 };
  const asks = [
    { temperature: 0, logit_bias },
    { temperature: 0.3, logit_bias, seed: 3 },
    { temperature: 0.5, logit_bias, repetition_penalty: 1.05, frequency_penalty: 0.01, seed: 4 },
  ];
  const failures = [];
  let [numDrafted, numAccepted] = [0, 0];
  for (const ask of asks) {
    const request = { ...ask, ids, max_tokens: 40, ignore_eos: true };
    const plain = await call('drafted', { ...request, speculative: 'off' });
    const drafted = await call('drafted', { ...request, speculative: 'always' });
    if (drafted.ids.join() !== plain.ids.join()) failures.push(`${drafted.ids}, not ${plain.ids}`);
    if (plain.draftTokens !== 0) failures.push('there are drafts that nobody asked for');
    numDrafted += drafted.draftTokens;
    numAccepted += drafted.acceptedDraftTokens;
  }
  if (numAccepted === 0 || numAccepted === numDrafted)
    failures.push(`${numAccepted} of ${numDrafted} drafted tokens were right: some should be, not all`);
  report(`${name}: drafts change no token`, failures, `${numAccepted} of ${numDrafted} drafted tokens right`);
}

async function checkStoryteller() {
  const model = { id: 'batch/storyteller', url: `${url}models/storyteller/` };
  await call('load', model, { ...options, contextLength, kvPoolMiB: 32 });
  await checkTexts('storyteller', { call, report });
}

async function checkAllLayers() {
  for (const name of layered) {
    const startedMs = performance.now();
    const text = readReference(layeredFolder(name)).prompts.flatMap(({ ids }) => ids);
    const model = { id: `batch/${name}`, url: `${url}models/${name}/`, revision: 'fixture' };
    await checkLayers(name, model, text, { call, compare, report });
    if (name === layered.at(-1)) await checkKept(name, model, { call, report });
    console.log(`     ${name}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
}

try {
  await page.waitForFunction('globalThis.tabmindBatch');
  for (const [index, folder] of folders.entries()) {
    try {
      await checkFolder(folder, index);
      const hasText = existsSync(join(folder, 'tokenizer.json'));
      if (hasText && !isLight(folder)) await checkTexts(basename(folder), { call, report });
    } catch (error) {
      report(basename(folder), [String(error.stack ?? error)]);
    }
  }
  if (storyteller) await checkStoryteller();
  await checkAllLayers();
} finally {
  await close();
}
const failed = results.filter((ok) => !ok).length;
console.log(`batch: ${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
