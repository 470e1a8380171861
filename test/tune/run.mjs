// GPU time of the linears of some models in many cuts (lanes along K, rows a thread, threads a workgroup):
//   node test/tune/run.mjs [--math f32|f16] [--models 8b,1.5b,0.5b] [--rows 1] [--browser-flags "…"] [--built DIR] [--json FILE]
//   node test/tune/run.mjs --kernels --rows 8: the kernels for that many rows, by tile (always so above four rows)
//   node test/tune/run.mjs --attention [--lengths 1,128,…] [--rows 1]: decode attention, by threads and splits
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
  attention: { type: 'boolean', default: false },
  kernels: { type: 'boolean', default: false },
  lengths: { type: 'string', default: '16,128,512,1024,4096,16384' },
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

/** Worth a try: not more threads than there is work, and a round within the memory. */
function fits({ lanes, threads, depth, integer, stageBytes }, units, numRows) {
  const round = lanes * depth;
  return threads >= lanes && round < 2 * units && round * (integer ? 80 : 144) * numRows <= stageBytes;
}

function tilesOf({ gate, format, cols, numRows }) {
  const units = Math.ceil(cols / (format === 'w4' ? 32 : 16));
  const tiles = [];
  for (const lanes of [8, 16, 32])
    for (const rowsPerThread of gate ? [2, 4] : [1, 2, 4])
      for (const threads of [128, 256])
        for (const depth of [1, 2])
          for (const integer of format === 'w4' ? [true, false] : [false])
            for (const maxWorkgroups of [65535, 1056, 528, 264]) {
              const tile = {
                lanes,
                rowsPerThread,
                threads,
                depth,
                integer,
                maxWorkgroups,
                stageBytes: 44 * 1024,
              };
              if (fits(tile, units, numRows)) tiles.push(tile);
            }
  return tiles;
}

const HEADS = {
  '8b': { numHeads: 32, numKvHeads: 8, headDim: 128 },
  '1.5b': { numHeads: 12, numKvHeads: 2, headDim: 128 },
  '0.5b': { numHeads: 14, numKvHeads: 2, headDim: 64 },
};

async function tuneAttention() {
  const numRows = Number(values.rows);
  for (const name of values.models.split(','))
    for (const length of values.lengths.split(',').map(Number))
      for (const threads of [128, 256, 512]) {
        const splits = [1, 2, 4, 8, 16, 32].filter((splits) => splits === 1 || length / splits >= 64);
        const times = [];
        for (const numSplits of splits) {
          const shape = { ...HEADS[name], kvBits: 8, length, numSplits, numRows, threads };
          times.push(`${numSplits}: ${(await call('attention', shape)).toFixed(1)}`);
        }
        console.log(
          `${name} attention ${length} tokens, ${threads} threads, µs by splits  ${times.join('  ')}`,
        );
      }
}

async function tuneRows() {
  for (const shape of values.models.split(',').flatMap(shapesOf)) {
    const results = await call('tuneRows', shape);
    console.log(`${shape.name}, ${shape.numRows} rows`);
    for (const { name, microseconds, teraflops } of results)
      console.log(`  ${name.padEnd(60)} ${microseconds.toFixed(1)} µs ${teraflops.toFixed(1)} TFLOP/s`);
  }
}

const root = values.built ?? (await buildPage(fileURLToPath(new URL('.', import.meta.url)), 'tune'));
const { page, close } = await openPage({ root, flags: values['browser-flags'] });
const call = (name, ...args) =>
  page.evaluate(([name, args]) => globalThis.tabmindTune[name](...args), [name, args]);
const words = ({ tile, microseconds, gigabytesPerSecond }) =>
  `${microseconds.toFixed(1)} µs ${gigabytesPerSecond.toFixed(0)} GB/s (${tile.lanes} lanes, ${tile.rowsPerThread} rows, ${tile.threads} threads, depth ${tile.depth}, ${tile.integer ? 'integer' : 'float'}, ${tile.maxWorkgroups} workgroups)`;
try {
  await page.waitForFunction('globalThis.tabmindTune');
  const { vendor, description } = await call('open', values.math);
  console.log(`${vendor} ${description}, ${values.math}, ${values.rows} rows of activations`);
  const manyRows = values.kernels || plain.numRows > 4;
  if (values.attention) await tuneAttention();
  else if (manyRows) await tuneRows();
  const results = [];
  for (const shape of values.attention || manyRows ? [] : values.models.split(',').flatMap(shapesOf)) {
    const { own, best } = await call('tune', shape, tilesOf(shape));
    console.log(`${shape.name.padEnd(14)} own ${words(own)}`);
    for (const timed of best.slice(0, Number(values.top))) console.log(`  ${words(timed)}`);
    results.push({ shape, own, best });
  }
  if (values.json) writeFileSync(values.json, JSON.stringify(results));
} finally {
  await close();
}
