import { type GemvTile, gemv, gemvTile } from '../../src/kernels/gemv';
import { gpuTest } from './harness';
import { checkLinear, linearCase } from './linear-case';

const FORMATS = ['w4', 'w8', 'w16'] as const;

for (const format of FORMATS)
  for (const numRows of [1, 2, 3, 4])
    gpuTest(`gemv ${format} ${numRows} rows`, async (test) => {
      const { gpu, random } = test;
      for (const cols of [32 * random.between(1, 20), 4 * random.between(1, 150)]) {
        const groupSize = random.pick([32, 64, 128]);
        const rows = random.between(1, 70);
        const made = linearCase(
          { format, rows, cols, numRows, groupSize, strided: random.below(2) === 1 },
          random,
        );
        await checkLinear(test, made, [gemv(gpu, made.call)]);
      }
    });

for (const format of FORMATS)
  gpuTest(`gemv ${format} fused`, async (test) => {
    const { gpu, random } = test;
    for (const numRows of [1, 3]) {
      const cols = 4 * random.between(40, 120);
      const rows = random.between(5, 60);
      const all = { format, cols, numRows, strided: true } as const;
      for (const shape of [
        { ...all, rows, norm: true, bias: true },
        { ...all, rows, residual: 'in place' } as const,
        { ...all, rows, residual: 'apart', bias: true } as const,
        { ...all, rows, norm: true, outScale: 0.25, softcap: 3 },
        { ...all, rows: 2 * rows, norm: true, gate: 'silu' } as const,
        { ...all, rows: 2 * rows, bias: true, gate: 'gelu_tanh' } as const,
      ]) {
        const made = linearCase(shape, random);
        await checkLinear(test, made, [gemv(gpu, made.call)]);
      }
    }
  });

gpuTest('gemv tiles', async (test) => {
  const { gpu, random } = test;
  const tiles: GemvTile[] = [
    { lanes: 4, rowsPerThread: 1, threads: 64, stageBytes: 4096 },
    { lanes: 8, rowsPerThread: 2, threads: 32, stageBytes: 4096 },
    { lanes: 32, rowsPerThread: 4, threads: 64, stageBytes: 4096 },
    { lanes: 64, rowsPerThread: 2, threads: 128, stageBytes: 4096 },
    { lanes: 128, rowsPerThread: 4, threads: 128, stageBytes: 4096 },
    { lanes: 128, rowsPerThread: 1, threads: 256, stageBytes: 4096 },
  ];
  for (const tile of tiles)
    for (const gated of tile.rowsPerThread > 1 ? [false, true] : [false]) {
      const rows = 2 * random.between(1, 40);
      const shape = {
        format: 'w4',
        rows,
        cols: 1376,
        numRows: tile.lanes > 32 ? 1 : random.between(1, 4),
        norm: true,
      } as const;
      const made = linearCase(
        gated ? { ...shape, gate: 'silu' } : { ...shape, residual: 'in place' },
        random,
      );
      await checkLinear(test, made, [gemv(gpu, made.call, tile)]);
    }
});

gpuTest('gemv groups and zero points', async (test) => {
  const { gpu, random } = test;
  for (const format of ['w4', 'w8'] as const)
    for (const groupSize of [32, 64, 128, 1024]) {
      const shape = {
        format,
        rows: 9,
        cols: 300,
        numRows: random.between(1, 2),
        groupSize,
        brokenZeros: true,
      };
      const made = linearCase({ ...shape, norm: groupSize === 64 }, random);
      await checkLinear(test, made, [gemv(gpu, made.call)]);
    }
});

gpuTest('gemv more workgroups than one dimension holds', async (test) => {
  const made = linearCase(
    { format: 'w4', rows: 65_535 + 21, cols: 4, numRows: 1, groupSize: 32 },
    test.random,
  );
  const tile = { ...gemvTile(test.gpu, made.call), lanes: 4, rowsPerThread: 1, threads: 4 };
  await checkLinear(test, made, [gemv(test.gpu, made.call, tile)]);
});
