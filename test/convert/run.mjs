// Converts a large random bf16 checkpoint in a real browser, generates, and loads it again from the cache:
//   node test/convert/run.mjs [--config FILE] [--dir DIR] [--weights w4|w8|w16] [--browser-flags "…"] [--built DIR]
//                             [--vendor NAME] [--json FILE] [--uploads GIB] [--uploads-only]
// The checkpoint is written to DIR (default: a temporary folder, removed afterwards). Prints times, GB/s and the most
// memory that the browser's processes held (Linux). Then how fast bytes reach the GPU by writeBuffer and by mapped staging,
// moving 2 GiB (or GIB) each: what the load from the cache is to be measured against.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';
import { watchMemory, watchWorkerHeap } from './memory.mjs';
import { writeCheckpoint } from './random-checkpoint.mjs';

const { values } = readArguments({
  config: { type: 'string' },
  dir: { type: 'string' },
  weights: { type: 'string', default: 'w4' },
  'browser-flags': { type: 'string' },
  built: { type: 'string' },
  vendor: { type: 'string' },
  json: { type: 'string' },
  uploads: { type: 'string', default: '2' },
  'uploads-only': { type: 'boolean', default: false },
});
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const scratch = mkdtempSync(join(values.dir ?? tmpdir(), 'tabmind-convert-'));
const folder = join(scratch, 'checkpoint');
const userDataDir = join(scratch, 'profile');
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const perSecond = (bytes, ms) => `${(bytes / 1e6 / ms).toFixed(2)} GB/s`;
const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;

let startedMs = performance.now();
const checkpointBytes = values['uploads-only']
  ? 0
  : writeCheckpoint(folder, values.config ?? at('../../src/weights/shapes/llama-3.1-8b.json'));
if (checkpointBytes > 0)
  console.log(
    `checkpoint: ${(checkpointBytes / 1e9).toFixed(2)} GB written in ${seconds(performance.now() - startedMs)}`,
  );
const root = values.built ?? (await buildPage(at('../check/'), 'check'));
const { page, url, close } = await openPage({
  root,
  roots: { '/checkpoint/': folder },
  flags: values['browser-flags'],
  userDataDir,
});
page.setDefaultTimeout(0);
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindCheck[name](...args), [name, args]);
const model = { id: 'convert/random', url: `${url}checkpoint/`, revision: '1' };
const options = { weightBits: Number(values.weights.slice(1)), contextLength: 4096, maxSequences: 1 };

async function visit(name, bytes) {
  const memory = watchMemory(userDataDir);
  const heap = await watchWorkerHeap(page);
  startedMs = performance.now();
  const { info, gpu, error, convertMs } = await call('load', model, options);
  const loadMs = performance.now() - startedMs;
  const peak = memory.stop();
  const heapBytes = await heap.stop();
  if (error) throw new Error(`${name}: [${error.code}] ${error.message}`);
  if (values.vendor && gpu.vendor !== values.vendor) throw new Error(`adapter is ${gpu.vendor}`);
  const ids = await call('generate', [1, 2, 3, 4, 5, 6, 7, 8], 16);
  const moved = bytes ?? info.weightBytes;
  console.log(
    `${name}: ready after ${seconds(loadMs)}, weights after ${seconds(convertMs)} (${perSecond(moved, convertMs)}), ${mebibytes(info.weightBytes)} packed`,
  );
  if (info.cacheRead) {
    const { bytes, totalMs, readMs, uploadMs } = info.cacheRead;
    console.log(
      `  read, checked and uploaded: ${perSecond(bytes, totalMs)}; ${seconds(readMs)} waiting for storage and checksums, ${seconds(uploadMs)} for the GPU`,
    );
  }
  console.log(`  JavaScript of the worker: at most ${mebibytes(heapBytes)}`);
  for (const [process, { before, most }] of Object.entries(peak))
    console.log(`  ${process}: ${mebibytes(before)} before, at most ${mebibytes(most)}`);
  const prompt = Array.from({ length: 128 }, (_, i) => i + 1);
  const timings = await call('time', prompt, 128);
  const kernels = await call('profile', 128);
  console.log(
    `  ${timings.decodeTokensPerSecond.toFixed(1)} tok/s decode, ${timings.ttftMs.toFixed(1)} ms to the first of 128 prompt tokens`,
  );
  for (const [kernel, microseconds] of Object.entries(kernels))
    console.log(`  ${kernel.padEnd(20)} ${microseconds.toFixed(0).padStart(8)} µs a token`);
  const { fromCache, cacheRead } = info;
  return { name, loadMs, convertMs, peak, heapBytes, ids, timings, kernels, fromCache, cacheRead };
}

/** Without a model in memory. */
async function measureUploads() {
  const speeds = await call('uploads', Number(values.uploads) * 2 ** 30);
  for (const { way, bytesPerSecond } of speeds)
    console.log(`${way.padEnd(24)} ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`);
  return speeds;
}

const results = [];
let uploads = [];
try {
  await page.waitForFunction('globalThis.tabmindCheck');
  if (!values['uploads-only']) {
    results.push(await visit('converting', checkpointBytes));
    await page.reload();
    await page.waitForFunction('globalThis.tabmindCheck');
    results.push(await visit('from the cache'));
    await call('restart');
  }
  uploads = await measureUploads();
} finally {
  await close();
  rmSync(scratch, { recursive: true, force: true });
}
const [first, second] = results;
const isRight =
  values['uploads-only'] ||
  (!first.fromCache && second.fromCache && String(first.ids) === String(second.ids));
if (first) console.log(`ids: ${first.ids.join(' ')}`);
if (values.json) writeFileSync(values.json, JSON.stringify({ checkpointBytes, results, uploads }, null, 1));
console.log(`convert: ${isRight ? 1 : 0} passed, ${isRight ? 0 : 1} failed`);
process.exitCode = isRight ? 0 : 1;
