import { integerFloats, integerGroupCols, integerRows } from '../../src/kernels/integer-rows';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { integerRowValues } from '../reference/integer-rows';
import { rmsNormTwin } from '../reference/rms-norm';
import { assertClose, gpuTest, nans } from './harness';

const EPS = 1e-5;
const NORM_AT = 64;

for (const bits of [4, 8] as const)
  for (const groupSize of [32, 128])
    gpuTest(
      `integer_rows w${bits} g${groupSize}`,
      async ({ gpu, random, runStep }) => {
        for (const normed of [false, true]) {
          const cols = 4 * random.between(1, 700);
          const numRows = random.between(1, 9);
          const inStride = cols + 4 * random.below(3);
          const inAt = 8;
          const outAt = inAt + numRows * inStride + 4;
          const end = outAt + numRows * integerFloats(cols);
          const scratch = nans(end + 8);
          const gain = random.normals(cols);
          const weights = new Uint32Array(NORM_AT + cols).fill(0x7fc00000);
          weights.set(new Uint32Array(gain.buffer), NORM_AT);
          const rows = Array.from({ length: numRows }, () =>
            random.normals(cols, 10 ** random.between(-2, 5)),
          );
          for (const [m, x] of rows.entries()) scratch.set(x, inAt + m * inStride);
          const packed = packedLinear('w', bits === 4 ? 'w4' : 'w8', 8, cols, groupSize);
          const norm = {
            weight: { ...packedVector('norm', cols), slab: 0, byteOffset: 4 * NORM_AT },
            eps: EPS,
          };
          const weight = { ...packed, slab: 0, byteOffset: 0 };
          const call = { weight, numRows, inAt, inStride, outAt: 0, ...(normed ? { norm } : {}) };
          const result = await runStep({ weights, scratch }, [integerRows(gpu, call, outAt)]);
          const words = new Uint32Array(result.scratch.buffer).slice(outAt, end);
          const { paddedCols } = weight;
          const groupCols = integerGroupCols(weight);
          const { values, sums } = integerRowValues({ words, bits, numRows, paddedCols, groupCols });
          const groups = Math.ceil(paddedCols / groupCols);
          for (const [m, x] of rows.entries()) {
            const expected = [...(normed ? rmsNormTwin(x, gain, EPS) : x)];
            while (expected.length < paddedCols) expected.push(0);
            for (let g = 0; g < groups; g++) {
              const what = `row ${m}, group ${g}`;
              const group = expected.slice(g * groupCols, (g + 1) * groupCols);
              const start = m * paddedCols + g * groupCols;
              const own = values.slice(start, start + group.length);
              // Half a step of the largest of the group, and what the norm is off by.
              assertClose(own, group, { rel: 2e-5, abs: 0 }, what);
              const total = own.reduce((all, value) => all + value, 0);
              const top = Math.max(...group.map(Math.abs));
              assertClose([sums[m * groups + g] ?? Number.NaN], [total], { rel: 0, abs: 4e-5 * top }, what);
            }
          }
          const after = result.scratch;
          for (let at = end; at < after.length; at++)
            if (!Number.isNaN(after[at])) throw new Error(`scratch[${at}] was overwritten`);
        }
      },
      // Neighbours of one subgroup share a group.
      ({ subgroupSize }) => subgroupSize * 8 >= groupSize,
    );
