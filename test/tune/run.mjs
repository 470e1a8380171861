// GPU time of the linears of some models in many cuts (lanes along K, rows a thread, threads a workgroup):
//   node test/tune/run.mjs [--math f32|f16] [--models 8b,1.5b,0.5b] [--rows 1] [--browser-flags "…"] [--built DIR] [--json FILE]
// Prints what the kernel chooses by itself and the fastest cuts. Needs a GPU with timestamp-query.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../arguments.mjs';
import { openPage } from '../browser.mjs';
import { buildPage } from '../build-page.mjs';

const { values } = readArguments({
  math: { type: 'string', default: 'f32' },
  models: { type: 'string', default: '8b,1.5b,0.5b' },
  rows: { type: 'string', default: '1' },
  top: { type: 'string', default: '4' },
  'browser-flags': { type: 'string' },
  built: { type: 'string' },
  json: { type: 'string' },
});
const MODELS = {
  '8b': { hidden: 4096, inner: 14336, qkv: 6144, q: 4096, vocab: 128256 },
  '1.5b': { hidden: 1536, inner: 8960, qkv: 2048, q: 1536, vocab: 151936 },
  '0.5b': { hidden: 896, inner: 4864, qkv: 1152, q: 896, vocab: 151936 },
};
const plain = { format: 'w4', numRows: Number(values.rows), norm: false, gate: false, residual: false };

function shapesOf(name) {
  const { hidden, inner, qkv, q, vocab } = MODELS[name];
  return [
    { ...plain, name: `${name} qkv`, rows: qkv, cols: hidden, norm: true },
    { ...plain, name: `${name} o`, rows: hidden, cols: q, residual: true },
    { ...plain, name: `${name} gate up`, rows: 2 * inner, cols: hidden, norm: true, gate: true },
    { ...plain, name: `${name} down`, rows: hidden, cols: inner, residual: true },
    { ...plain, name: `${name} head`, rows: vocab, cols: hidden, norm: true, format: 'w8' },
  ];
}

function tilesOf({ gate, format, cols, numRows }) {
  const units = Math.ceil(cols / (format === 'w4' ? 32 : 16));
  const tiles = [];
  for (const lanes of [8, 16, 32, 64, 128])
    for (const rowsPerThread of gate ? [2, 4] : [1, 2, 4])
      for (const threads of [64, 128, 256, 512])
        if (threads >= lanes && lanes <= units && (numRows === 1 || lanes <= 32))
          tiles.push({ lanes, rowsPerThread, threads, stageBytes: 16384 });
  return tiles;
}

const root = values.built ?? (await buildPage(fileURLToPath(new URL('.', import.meta.url)), 'tune'));
const { page, close } = await openPage({ root, flags: values['browser-flags'] });
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindTune[name](...args), [name, args]);
const words = ({ tile, microseconds, gigabytesPerSecond }) =>
  `${microseconds.toFixed(1)} µs ${gigabytesPerSecond.toFixed(0)} GB/s (${tile.lanes} lanes, ${tile.rowsPerThread} rows, ${tile.threads} threads)`;
try {
  await page.waitForFunction('globalThis.tabmindTune');
  const { vendor, description } = await call('open', values.math);
  console.log(`${vendor} ${description}, ${values.math}, ${values.rows} rows of activations`);
  const results = [];
  for (const shape of values.models.split(',').flatMap(shapesOf)) {
    const { own, best } = await call('tune', shape, tilesOf(shape));
    console.log(`${shape.name.padEnd(14)} own ${words(own)}`);
    for (const timed of best.slice(0, Number(values.top))) console.log(`  ${words(timed)}`);
    results.push({ shape, own, best });
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(results));
} finally {
  await close();
}
