import { GEMM_TILES, gemm } from '../../src/kernels/gemm';
import { gpuTest } from './harness';
import { checkLinear, linearCase } from './linear-case';

const FORMATS = ['w4', 'w8', 'w16'] as const;

for (const [name, tile] of Object.entries(GEMM_TILES))
  gpuTest(`gemm tile ${name}`, async (test) => {
    const { gpu, random } = test;
    for (const format of FORMATS) {
      const cols = random.pick([32 * random.between(1, 10), 4 * random.between(1, 90)]);
      const all = {
        format,
        cols,
        groupSize: random.pick([32, 64, 128, 1024]),
        strided: random.below(2) === 1,
      } as const;
      const numRows = random.between(1, 2 * tile.bm + 3);
      const rows = random.between(1, 2 * tile.bn + 3);
      for (const shape of [
        { ...all, numRows, rows, norm: true, residual: 'in place' } as const,
        { ...all, numRows: tile.bm, rows: 2 * rows, norm: true, gate: 'silu' } as const,
      ]) {
        const made = linearCase(shape, random);
        await checkLinear(test, made, gemm(gpu, made.call, tile));
      }
    }
  });

for (const format of FORMATS)
  gpuTest(`gemm ${format} fused`, async (test) => {
    const { gpu, random } = test;
    for (const numRows of [5, 13, 40]) {
      const cols = 4 * random.between(40, 100);
      const rows = random.between(5, 90);
      const all = { format, cols, numRows, strided: true } as const;
      for (const shape of [
        { ...all, rows, bias: true },
        { ...all, rows, residual: 'apart', norm: true, bias: true } as const,
        { ...all, rows, outScale: 0.25, softcap: 3 },
        { ...all, rows: 2 * rows, bias: true, gate: 'gelu_tanh' } as const,
      ]) {
        const made = linearCase({ ...shape, brokenZeros: format !== 'w16' }, random);
        await checkLinear(test, made, gemm(gpu, made.call));
      }
    }
  });

gpuTest('gemm chooses the large tile for a prefill', async (test) => {
  const made = linearCase({ format: 'w4', rows: 4133, cols: 64, numRows: 70, norm: true }, test.random);
  await checkLinear(test, made, gemm(test.gpu, made.call));
});
