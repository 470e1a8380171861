import { integerFloats, integerGroupCols, integerRows } from '../../src/kernels/integer-rows';
import { packedLinear } from '../../src/weights/packed-tensor';
import { deferredNorm, integerRowValues } from '../reference/integer-rows';
import { rmsNormTwin } from '../reference/rms-norm';
import { activationRows, checkAround } from './activation-rows';
import { assertClose, gpuTest } from './harness';

for (const bits of [4, 8] as const)
  for (const groupSize of [32, 128])
    gpuTest(
      `integer_rows w${bits} g${groupSize}`,
      async ({ gpu, random, runStep }) => {
        for (const kind of ['plain', 'normed', 'deferred'] as const) {
          const cols = 4 * random.between(1, 700);
          const packed = packedLinear('w', bits === 4 ? 'w4' : 'w8', 8, cols, groupSize);
          const spareRows = random.below(8);
          const made = activationRows(random, packed, kind !== 'plain', integerFloats(cols), spareRows);
          const { call, outAt, end, norm, rows } = made;
          const planeRows = rows.length + spareRows;
          const { scratch } = await runStep(made, [
            integerRows(gpu, call, outAt, planeRows, kind === 'deferred'),
          ]);
          const words = new Uint32Array(scratch.buffer).slice(outAt, end);
          const { paddedCols } = packed;
          const groupCols = integerGroupCols(packed);
          const shape = { bits, numRows: rows.length, planeRows, paddedCols, groupCols };
          const { values, sums, squares } = integerRowValues({ words, ...shape });
          const groups = sums.length / rows.length;
          for (const [m, x] of rows.entries()) {
            const deferred = norm && kind === 'deferred' ? deferredNorm(x, norm.gain, groupCols) : null;
            const ownSquares = squares.slice(m * groups, m * groups + (deferred?.squares.length ?? 0));
            assertClose(ownSquares, deferred?.squares ?? [], { rel: 1e-5, abs: 0 }, `row ${m}, squares`);
            const normed = norm ? rmsNormTwin(x, norm.gain, norm.eps) : x;
            const expected = Array.from(deferred?.values ?? normed);
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
          checkAround(made, scratch);
        }
      },
      // Neighbours of one subgroup share a group.
      ({ subgroupSize }) => subgroupSize * 8 >= groupSize,
    );
