// Perplexity of the starter model on its recorded held-out ids, in a real browser, against test/fixtures/starter/quality.json.
//   npm run eval [-- --weights w4|w8|w16] [--head w8|w16|w4] [--kv 8|16|32|4] [--rows N] [--math auto|f32|f16] [--browser-flags "…"] [--json FILE] [--built DIR]
// --rows N takes N rows spread evenly over the 40; only all 40 compare with the recorded figure.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';

const { values } = readArguments({
  weights: { type: 'string', default: 'w4' },
  head: { type: 'string', default: 'w8' },
  kv: { type: 'string', default: '8' },
  rows: { type: 'string', default: '40' },
  math: { type: 'string', default: 'f32' },
  model: { type: 'string' },
  'browser-flags': { type: 'string' },
  json: { type: 'string' },
  built: { type: 'string' },
});
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const fixtures = at('../fixtures/starter/');
const quality = JSON.parse(readFileSync(`${fixtures}quality.json`, 'utf8'));
const { rows: numRows, row_tokens: rowTokens } = quality.heldout;
const bytes = readFileSync(`${fixtures}heldout.ids.bin`);
const rowIds = (row) =>
  Array.from({ length: rowTokens }, (_, i) => bytes.readUInt16LE((row * rowTokens + i) * 2));
const wanted = Math.min(numRows, Number(values.rows));
const rows = Array.from({ length: wanted }, (_, i) => Math.floor((i * numRows) / wanted));

const root = values.built ?? (await buildPage(at('../check/'), 'check'));
const roots = { '/models/starter/': values.model ?? at('../../public/models/starter/') };
const { page, url, close } = await openPage({ root, roots, flags: values['browser-flags'] });
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindCheck[name](...args), [name, args]);
try {
  await page.waitForFunction('globalThis.tabmindCheck');
  const options = {
    weightBits: Number(values.weights.slice(1)),
    headBits: Number(values.head.slice(1)),
    kvBits: Number(values.kv),
    math: values.math,
    cache: false,
    contextLength: rowTokens,
    maxSequences: 1,
  };
  const loaded = await call('load', { id: 'eval/starter', url: `${url}models/starter/` }, options);
  if (loaded.error) throw new Error(`load failed: [${loaded.error.code}] ${loaded.error.message}`);
  console.log(`adapter ${loaded.gpu.vendor} ${loaded.gpu.architecture}, math ${loaded.info.math}`);
  let sum = 0;
  let count = 0;
  const perRow = [];
  const start = performance.now();
  for (const row of rows) {
    const result = await call('negativeLogLikelihood', rowIds(row));
    sum += result.sum;
    count += result.count;
    perRow.push({ row, nll: result.sum / result.count });
    console.log(
      `row ${row}: perplexity ${Math.exp(result.sum / result.count).toFixed(4)}; so far ${Math.exp(sum / count).toFixed(4)}`,
    );
  }
  const ppl = Math.exp(sum / count);
  const scheme = {
    'w4 8': 'w4_g128_kv8',
    'w4 16': 'w4_g128',
    'w16 16': 'fp32',
    'w16 32': 'fp32',
    'w16 8': 'kv8',
    'w8 16': 'w8_g128',
    'w4 4': 'w4_g128_kv4',
    'w16 4': 'kv4',
  }[`${values.weights} ${values.kv}`];
  const recorded = quality.results[scheme]?.ppl;
  const whole = wanted === numRows && recorded !== undefined;
  const off = recorded === undefined ? null : (ppl / recorded - 1) * 100;
  console.log(`${count} tokens in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  console.log(
    `perplexity ${ppl.toFixed(4)} (weights ${values.weights}, head ${values.head}, kv ${values.kv})`,
  );
  if (whole)
    console.log(`recorded for ${scheme}: ${recorded.toFixed(4)}; ${off.toFixed(3)} % off (accepted: 0.5 %)`);
  if (values.json)
    writeFileSync(
      values.json,
      JSON.stringify({ options, adapter: loaded.gpu, ppl, recorded, off, perRow }, null, 1),
    );
  process.exitCode = whole && !(Math.abs(off) < 0.5) ? 1 : 0;
} finally {
  await close();
}
