import { gemmMatrix, MATRIX_TILES, matrixTile } from '../../src/kernels/gemm-matrix';
import { gpuTest } from './harness';
import { checkLinear, fusedOnMatrices, linearCase } from './linear-case';

const FORMATS = ['w4', 'w8', 'w16'] as const;
const hasMatrices = ({ matrices }: { readonly matrices: boolean }) => matrices;

for (const format of FORMATS)
  gpuTest(
    `gemm_matrix ${format}`,
    async (test) => {
      const { gpu, random } = test;
      for (const numRows of [17, random.between(18, 140), 200]) {
        const cols = random.pick([32 * random.between(1, 20), 4 * random.between(9, 150)]);
        const groupSize = random.pick([32, 64, 128]);
        const rows = random.between(1, 300);
        const strided = random.below(2) === 1;
        const made = linearCase({ format, rows, cols, numRows, groupSize, strided }, random);
        await checkLinear(test, made, gemmMatrix(gpu, made.call, made.halvesAt));
      }
    },
    hasMatrices,
  );

for (const [name, tile] of Object.entries(MATRIX_TILES))
  gpuTest(
    `gemm_matrix tile ${name}`,
    async (test) => {
      const { gpu, random } = test;
      const cols = 4 * random.between(40, 120);
      const rows = random.between(5, 150);
      for (const shape of fusedOnMatrices(rows)) {
        const numRows = random.between(17, 150);
        const made = linearCase({ format: 'w4', cols, numRows, strided: true, ...shape }, random);
        await checkLinear(test, made, gemmMatrix(gpu, made.call, made.halvesAt, tile));
      }
    },
    hasMatrices,
  );

gpuTest(
  'gemm_matrix large',
  async (test) => {
    const made = linearCase(
      { format: 'w4', rows: 1030, cols: 1536, numRows: 300, norm: true, brokenZeros: true },
      test.random,
    );
    await checkLinear(test, made, gemmMatrix(test.gpu, made.call, made.halvesAt, matrixTile(made.call)));
  },
  hasMatrices,
);
