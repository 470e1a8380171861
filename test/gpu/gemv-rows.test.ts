import { type GemvRowsTile, gemvRows, gemvRowsTile } from '../../src/kernels/gemv-rows';
import { gpuTest } from './harness';
import { checkLinear, fusedWithFew, linearCase } from './linear-case';

const INTEGER = { format: 'w4', integer: 'units' } as const;

for (const numRows of [2, 3, 5, 8, 13, 16])
  gpuTest(`gemv_rows ${numRows} rows`, async (test) => {
    const { gpu, random } = test;
    for (const cols of [32 * random.between(1, 20), 4 * random.between(1, 150)]) {
      const groupSize = random.pick([32, 64, 128]);
      const rows = random.between(1, 70);
      const strided = random.below(2) === 1;
      const made = linearCase({ ...INTEGER, rows, cols, numRows, groupSize, strided }, random);
      await checkLinear(test, made, gemvRows(gpu, made.call, made.halvesAt));
    }
  });

gpuTest('gemv_rows fused', async (test) => {
  const { gpu, random } = test;
  for (const numRows of [3, 7]) {
    const cols = 4 * random.between(40, 120);
    const rows = random.between(5, 60);
    const all = { ...INTEGER, cols, numRows, strided: true } as const;
    for (const shape of fusedWithFew(rows)) {
      const made = linearCase({ ...all, ...shape }, random);
      await checkLinear(test, made, gemvRows(gpu, made.call, made.halvesAt));
    }
  }
});

const TILES: readonly GemvRowsTile[] = [
  { rowsAtOnce: 8, lanes: 8, rowsPerThread: 1, threads: 32, chunkUnits: 8, depth: 1 },
  { rowsAtOnce: 2, lanes: 2, rowsPerThread: 4, threads: 16, chunkUnits: 12, depth: 2 },
  { rowsAtOnce: 3, lanes: 16, rowsPerThread: 2, threads: 32, chunkUnits: 64, depth: 1 },
  { rowsAtOnce: 4, lanes: 64, rowsPerThread: 1, threads: 64, chunkUnits: 1, depth: 1 },
];

gpuTest('gemv_rows tiles', async (test) => {
  const { gpu, random } = test;
  for (const tile of TILES)
    for (const gated of tile.rowsPerThread > 1 ? [false, true] : [false]) {
      const shape = {
        ...INTEGER,
        rows: 2 * random.between(1, 40),
        cols: 1376,
        numRows: random.between(2, 9),
        norm: true,
      };
      const made = linearCase(
        gated ? { ...shape, gate: 'silu' } : { ...shape, residual: 'in place' },
        random,
      );
      await checkLinear(test, made, gemvRows(gpu, made.call, made.halvesAt, tile));
    }
});

gpuTest('gemv_rows groups and zero points', async (test) => {
  const { gpu, random } = test;
  for (const groupSize of [32, 64, 128, 1024]) {
    const shape = { ...INTEGER, rows: 9, cols: 300, numRows: random.between(2, 6), groupSize };
    const made = linearCase({ ...shape, brokenZeros: true, norm: groupSize === 64 }, random);
    await checkLinear(test, made, gemvRows(gpu, made.call, made.halvesAt));
  }
});

gpuTest('gemv_rows as it is cut for a large GPU', async (test) => {
  const { gpu, random } = test;
  for (const [rows, cols, numRows] of [
    [66, 1536, 8],
    [34, 4480, 7],
    [19, 200, 11],
  ] as const) {
    const made = linearCase({ ...INTEGER, rows, cols, numRows, norm: true }, random);
    const tile = gemvRowsTile({ ...gpu, isSoftware: false }, made.call);
    await checkLinear(test, made, gemvRows(gpu, made.call, made.halvesAt, tile));
  }
});
