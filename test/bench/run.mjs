// Speed of a checkpoint in a real headless browser: TTFT, prefill and decode tok/s, launches per token.
//   npm run bench [-- --model FOLDER] [--weights w4|w8|w16] [--kv 8|16|4] [--math auto|f32|f16] [--prompt 128] [--new 128]
//                 [--runs 5] [--browser-flags "…"] [--json FILE] [--built DIR] [--vendor NAME] [--profile]
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values } = readArguments({
  model: { type: 'string', default: at('../../public/models/starter/') },
  weights: { type: 'string', default: 'w4' },
  kv: { type: 'string', default: '8' },
  math: { type: 'string', default: 'auto' },
  prompt: { type: 'string', default: '128' },
  new: { type: 'string', default: '128' },
  runs: { type: 'string', default: '5' },
  'browser-flags': { type: 'string' },
  json: { type: 'string' },
  built: { type: 'string' },
  vendor: { type: 'string' },
  profile: { type: 'boolean', default: false },
});
const root = values.built ?? (await buildPage(at('.'), 'bench'));
const { page, url, close } = await openPage({
  root,
  roots: { '/model/': values.model },
  flags: values['browser-flags'],
});
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindBench[name](...args), [name, args]);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
try {
  await page.waitForFunction('globalThis.tabmindBench');
  const options = {
    weightBits: Number(values.weights.slice(1)),
    kvBits: Number(values.kv),
    math: values.math,
  };
  const ref = { id: `bench/${basename(values.model.replace(/\/$/, ''))}`, url: `${url}model/` };
  const first = await call('load', ref, options);
  const { gpu } = first.stats;
  if (values.vendor && gpu.vendor !== values.vendor)
    throw new Error(`the adapter is ${gpu.vendor}, not ${values.vendor}`);
  const second = await call('load', ref, options);
  const runs = await call('measure', {
    promptTokens: Number(values.prompt),
    newTokens: Number(values.new),
    runs: Number(values.runs),
  });
  const result = {
    adapter: gpu,
    model: second.info,
    prompt: Number(values.prompt),
    new: Number(values.new),
    firstLoadMs: first.info.loadMs,
    cachedLoadMs: second.info.loadMs,
    cached: second.info.fromCache,
    ttftMs: median(runs.map((run) => run.ttftMs)),
    prefillTokensPerSecond: median(runs.map((run) => run.prefillTokensPerSecond)),
    decodeTokensPerSecond: median(runs.map((run) => run.decodeTokensPerSecond)),
    dispatchesPerDecodeStep: second.stats.dispatchesPerDecodeStep,
    bindingsPerDispatch: second.stats.bindingsPerDispatch,
    runs,
  };
  console.log(
    `adapter           ${gpu.vendor} ${gpu.architecture} ${gpu.description}, math ${second.info.math}, subgroups ${gpu.subgroupSize}`,
  );
  console.log(
    `model             ${second.info.id}, ${(second.info.weightBytes / 2 ** 20).toFixed(1)} MiB packed, KV${second.info.kvBits}`,
  );
  console.log(
    `load              ${result.firstLoadMs.toFixed(0)} ms converting, ${result.cachedLoadMs.toFixed(0)} ms from the cache (${result.cached})`,
  );
  console.log(
    `TTFT              ${result.ttftMs.toFixed(1)} ms for ${values.prompt} tokens (${result.prefillTokensPerSecond.toFixed(0)} tok/s)`,
  );
  console.log(
    `decode            ${result.decodeTokensPerSecond.toFixed(1)} tok/s over ${values.new} tokens (median of ${runs.length})`,
  );
  console.log(
    `a decode step     ${result.dispatchesPerDecodeStep} dispatches, ${result.bindingsPerDispatch} bindings each`,
  );
  if (values.profile) {
    result.kernels = await call('profile', Number(values.prompt));
    for (const [kernel, { count, microseconds }] of Object.entries(result.kernels))
      console.log(
        `  ${kernel.padEnd(20)} ${count.toFixed(0).padStart(4)} launches ${microseconds.toFixed(1).padStart(10)} µs`,
      );
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(result, null, 1));
} finally {
  await close();
}
