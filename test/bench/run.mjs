// Speed of a model in a real headless browser: throughput, latencies, loads, memory, kernels.
//   npm run bench [-- --model FOLDER | random:SHAPE] [--concurrency 1,8] [--tokens PROMPT:NEW,…] [--runs 5] [--seed N]
//                 [--weights w4|w8|w16] [--kv 8|16|4] [--math auto|f32|f16] [--profile] [--json FILE]
//                 [--chunk N: profile a step that has N tokens of a prompt beside the decode rows]
//                 [--scenes N: what running rows feel of a prompt of N tokens, and a second turn behind N tokens]
//                 [--browser-flags "…"] [--built DIR] [--vendor NAME] [--quiet]
//   npm run bench -- --compare A.json B.json
//   npm run bench -- --smoke              the starter and a random model, checked instead of measured
// --prompt N --new N stand for --tokens N:N. --built serves an existing build of test/bench instead of making one;
// --vendor fails unless the adapter is of that vendor. SHAPE: see src/weights/random-shapes.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments, residentOption } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';
import { CHROMIUM_FLAGS } from '../chromium.mjs';
import { watchMemory } from '../convert/memory.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const RANDOM = 'random:';
/** Small enough for a software adapter. */
const SMOKE = { concurrency: '1,2', lengths: '16:4', requestsPerLane: 1 };

const { values, positionals } = readArguments({
  model: { type: 'string', default: at('../../public/models/starter/') },
  weights: { type: 'string', default: 'w4' },
  kv: { type: 'string', default: '8' },
  math: { type: 'string', default: 'auto' },
  concurrency: { type: 'string', default: '1' },
  tokens: { type: 'string' },
  prompt: { type: 'string', default: '128' },
  new: { type: 'string', default: '128' },
  runs: { type: 'string', default: '5' },
  seed: { type: 'string', default: '1' },
  'browser-flags': { type: 'string' },
  json: { type: 'string' },
  built: { type: 'string' },
  vendor: { type: 'string' },
  profile: { type: 'boolean', default: false },
  chunk: { type: 'string' },
  resident: { type: 'string' },
  scenes: { type: 'string' },
  quiet: { type: 'boolean', default: false },
  smoke: { type: 'boolean', default: false },
  compare: { type: 'boolean', default: false },
});

function modelRef(url) {
  if (values.model.startsWith(RANDOM))
    return {
      kind: 'random',
      id: values.model,
      shape: values.model.slice(RANDOM.length),
      seed: Number(values.seed),
    };
  return { id: `bench/${basename(values.model.replace(/\/$/, ''))}`, url: `${url}model/` };
}

function planFor(url) {
  return {
    model: modelRef(url),
    options: {
      weightBits: Number(values.weights.slice(1)),
      kvBits: Number(values.kv),
      math: values.math,
      ...residentOption(values.resident),
    },
    concurrency: values.concurrency,
    lengths: values.tokens ?? `${values.prompt}:${values.new}`,
    requestsPerLane: Number(values.runs),
    seed: Number(values.seed),
    sceneTokens: values.scenes ? Number(values.scenes) : null,
    loadTwice: true,
    profile: values.profile || values.chunk !== undefined,
    profileChunk: Number(values.chunk ?? 0),
    vendor: values.vendor,
    ...(values.smoke ? { ...SMOKE, profile: true } : {}),
  };
}

/** Opens the page, lets `use` call its functions, and closes everything. */
async function withPage(use) {
  const root = values.built ?? (await buildPage(at('.'), 'bench'));
  const roots = values.model.startsWith(RANDOM) ? {} : { '/model/': values.model };
  const userDataDir = mkdtempSync(join(tmpdir(), 'tabmind-bench-'));
  const opened = await openPage({ root, roots, flags: values['browser-flags'], userDataDir });
  const { page, url, close } = opened;
  page.setDefaultTimeout(0);
  if (!values.quiet)
    page.on('console', (message) => {
      if (message.type() === 'info') process.stderr.write(`\r\x1b[K${message.text()}`);
    });
  const call = (name, ...args) =>
    page.evaluate(([name, args]) => globalThis.tabmindBench[name](...args), [name, args]);
  try {
    await page.waitForFunction('globalThis.tabmindBench');
    return await use(call, url, userDataDir);
  } finally {
    if (!values.quiet) process.stderr.write('\r\x1b[K');
    await close();
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measure(call, url, userDataDir) {
  const memory = watchMemory(userDataDir);
  const report = await call('run', planFor(url));
  const processes = memory.stop();
  if (report.failure !== undefined) throw new Error(report.failure);
  const browserFlags = values['browser-flags'] ?? CHROMIUM_FLAGS.join(' ');
  const result = { ...report, browserFlags, processes };
  console.log(await call('text', result));
  const peaks = Object.entries(processes).map(
    ([name, { most }]) => `${name} ${Math.round(most / 2 ** 20)} MiB`,
  );
  if (peaks.length > 0) console.log(`\nmost memory of the processes: ${peaks.join(', ')}`);
  if (values.scenes) console.log(JSON.stringify(await call('scenes', Number(values.scenes)), null, 1));
  if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 1));
  return report;
}

async function smoke(call, url, userDataDir) {
  const report = await measure(call, url, userDataDir);
  const checks = [
    ...(await call('checkReport', report, SMOKE.requestsPerLane)),
    ...(await call('checkRandom')),
  ];
  const failed = checks.filter(({ passed }) => !passed);
  for (const { name } of failed) console.log(`FAIL ${name}`);
  console.log(`bench: ${checks.length - failed.length} passed, ${failed.length} failed`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

async function compare() {
  if (positionals.length !== 2) throw new Error('--compare needs two files: A.json B.json');
  const { runnerImport } = await import('vite');
  const { module } = await runnerImport(at('../../web/bench/comparison.ts'), { configFile: false });
  const [before, after] = positionals.map((path) => JSON.parse(readFileSync(path, 'utf8')));
  console.log(module.comparisonText(module.compareReports(before, after)));
}

async function main() {
  if (values.compare) await compare();
  else await withPage(values.smoke ? smoke : measure);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
