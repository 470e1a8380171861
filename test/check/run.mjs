// Compares checkpoints with the reference beside them, in a real browser, through the normal load path.
//   npm run check -- FOLDER… [--weights w16|w8|w4] [--kv 32,16,8] [--prompts N] [--f16] [--browser-flags "…"] [--json FILE]
//                   [--built DIR] [--vendor NAME]
// A folder with reference.json or expected.json: logits and greedy ids. One with expect.json: must do what that says.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments, residentOption } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';
import { acceptedError, comparePrompt } from './compare.mjs';
import { readReference } from './reference.mjs';

const { values, positionals } = readArguments({
  weights: { type: 'string', default: 'w16' },
  kv: { type: 'string', default: '16' },
  prompts: { type: 'string', default: '1000' },
  f16: { type: 'boolean', default: false },
  'browser-flags': { type: 'string' },
  json: { type: 'string' },
  built: { type: 'string' },
  vendor: { type: 'string' },
  resident: { type: 'string' },
});
if (positionals.length === 0) {
  console.error(
    'usage: npm run check -- FOLDER… [--weights w16|w8|w4] [--kv 32,16,8] [--prompts N] [--f16] [--browser-flags "…"] [--json FILE]',
  );
  process.exit(2);
}
const here = fileURLToPath(new URL('.', import.meta.url));
const weightBits = Number(values.weights.slice(1));
const kvWidths = values.kv.split(',').map(Number);
const folders = positionals.map((folder) => resolve(folder));
const root = values.built ?? (await buildPage(here, 'check', { beforeWorker: join(here, 'kept-device.ts') }));
const roots = Object.fromEntries(folders.map((folder, i) => [`/models/${i}/`, folder]));
const { page, url, close } = await openPage({ root, roots, flags: values['browser-flags'] });
const options = {
  math: values.f16 ? 'f16' : 'f32',
  cache: false,
  maxSequences: 2,
  contextLength: 512,
  ...residentOption(values.resident),
};
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindCheck[name](...args), [name, args]);

/** The INT8 figures recorded beside the fixtures: `models/llama` or `quant/…`. */
function recordedErrors(folder) {
  const file = join(dirname(dirname(folder)), 'expected_error.json');
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, 'utf8'))[`${basename(dirname(folder))}/${basename(folder)}`] ?? {};
}

/**
 * Linears that a checkpoint holds in 4 bits stay so; the rest of it is kept in 16, because its reference is computed from
 * its very weights.
 */
function bitsOf(folder, reference) {
  if (reference.expect || !isQuantised(folder)) return weightBits;
  return 16;
}

function isQuantised(folder) {
  if (['quantize_config.json', 'quant_config.json'].some((file) => existsSync(join(folder, file))))
    return true;
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  return (config.quantization_config ?? config.compression_config ?? null) !== null;
}

async function checkFolder(folder, index, reference, kvBits) {
  const bits = bitsOf(folder, reference);
  const loaded = await call(
    'load',
    { id: `check/${basename(folder)}`, url: `${url}models/${index}/` },
    { ...options, kvBits, weightBits: bits, headBits: bits },
  );
  if (reference.expect) return checkExpectation(reference.expect, loaded);
  if (loaded.error) return { ok: false, lines: [`load failed: ${words(loaded.error)}`] };
  if (values.vendor && loaded.gpu.vendor !== values.vendor)
    return { ok: false, lines: [`adapter is ${loaded.gpu.vendor}`] };
  const recorded = recordedErrors(folder);
  const accepted = acceptedError({
    kv: kvBits,
    weights: bits,
    f16: values.f16,
    int8: recorded.kv_int8,
    biasApart: recorded.kv_int8_bias_apart,
  });
  const lines = loaded.info.warnings.map((warning) => `warning: ${warning}`);
  let ok = true;
  let worst = 0;
  const prompts = reference.prompts.slice(0, Number(values.prompts));
  for (const [i, prompt] of prompts.entries()) {
    const measured = await call('compare', prompt.ids, prompt.greedy ?? [0]);
    const generated = prompt.greedy ? await call('generate', prompt.ids, prompt.greedy.length) : [];
    const exact = kvBits === 32 && !values.f16;
    // the recorded INT8 figure is that of the longest prompt
    const limit = kvBits === 8 && i < reference.prompts.length - 1 ? null : accepted;
    const { error, greedy, failures } = comparePrompt(prompt, { ...measured, generated }, limit, exact);
    worst = Math.max(worst, error ?? 0);
    ok &&= failures.length === 0;
    lines.push(
      `prompt ${i} (${prompt.ids.length} ids): error ${error === null ? '-' : error.toExponential(2)}, greedy ${greedy}${failures.length ? ` FAIL: ${failures.join('; ')}` : ''}`,
    );
  }
  return { ok, lines, worst, accepted };
}

function checkExpectation(expect, { info, error }) {
  const refused = error !== undefined;
  const warned = !refused && info.warnings.length > 0;
  const fits = { error: refused, warn: warned, 'error-or-warn': refused || warned, ok: !refused }[
    expect.expect
  ];
  const unexpected = error?.code === 'internal' || error?.code === 'shader' || error?.code === 'device-lost';
  const absent = refused ? (expect.mentions ?? []).filter((word) => !error.message.includes(word)) : [];
  const did = refused
    ? `refused: ${words(error)}`
    : warned
      ? `loaded with warnings: ${info.warnings.join(' | ')}`
      : 'loaded';
  return {
    broken: true,
    ok: fits === true && !unexpected && absent.length === 0,
    lines: [
      `must ${expect.expect} (${expect.code}: ${expect.what})`,
      did,
      ...(absent.length > 0 ? [`FAIL: the message does not mention ${absent.join(', ')}`] : []),
    ],
  };
}

const words = ({ code, message, remedy }) => `[${code}] ${message}${remedy ? ` ${remedy}` : ''}`;

/** A broken checkpoint fails before there is a cache. */
function checksOf(folder, index) {
  const reference = readReference(folder);
  const widths = reference.expect ? kvWidths.slice(0, 1) : kvWidths;
  return widths.map((kvBits) => ({
    name: reference.expect ? basename(folder) : `${basename(folder)}, KV${kvBits}`,
    check: () => checkFolder(folder, index, reference, kvBits),
  }));
}

const results = [];
try {
  await page.waitForFunction('globalThis.tabmindCheck');
  for (const [index, folder] of folders.entries())
    for (const { name, check } of checksOf(folder, index)) {
      let result;
      try {
        result = await check();
      } catch (error) {
        result = { ok: false, lines: [String(error.stack ?? error)] };
      }
      console.log(`${result.ok ? 'ok  ' : 'FAIL'} ${name}`);
      for (const line of result.lines) console.log(`       ${line}`);
      results.push({ folder: name, ...result });
      // Whatever was left of a broken one cannot spoil the rest.
      if (!result.ok || result.broken) await call('restart');
    }
} finally {
  await close();
}
console.log(
  `\n${'folder'.padEnd(36)} worst error  accepted  (weights ${values.weights}, kv ${values.kv}${values.f16 ? ', f16' : ''})`,
);
for (const { folder, ok, worst, accepted } of results)
  console.log(
    `${ok ? '  ' : '! '}${folder.padEnd(34)} ${worst === undefined ? '-'.padEnd(11) : worst.toExponential(2).padEnd(11)}  ${accepted ?? '-'}`,
  );
if (values.json) writeFileSync(values.json, JSON.stringify({ options, results }, null, 1));
const failed = results.filter((result) => !result.ok).length;
console.log(`check: ${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
