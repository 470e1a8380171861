import type { Gpu } from '../../src/gpu/device';
import type { Dispatch } from '../../src/gpu/dispatch';
import { gemm } from '../../src/kernels/gemm';
import { integerFloats, integerGroupCols, integerRows } from '../../src/kernels/integer-rows';
import type { LinearCall } from '../../src/kernels/linear-call';
import { type PartSums, partStride, sumIntegerRows, sumParts } from '../../src/kernels/part-sums';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { deferredNorm, integerRowValues } from '../reference/integer-rows';
import type { Random } from '../reference/random';
import { rmsNormTwin } from '../reference/rms-norm';
import { assertClose, type GpuTest, gpuTest, nans } from './harness';
import { checkLinear, type LinearCase, linearCase, MAX_PARTS, Slab } from './linear-case';

const EPS = 1e-5;

/** Neighbours of one subgroup share a group. */
function sharesGroups(groupSize: number): (gpu: { readonly subgroupSize: number }) => boolean {
  return ({ subgroupSize }) => subgroupSize * 8 >= groupSize;
}

/** A product, and two parts more that cancel out. */
function leaveParts(gpu: Gpu, random: Random, made: LinearCase): [readonly Dispatch[], PartSums] {
  const { call, partsAt, scratch } = made;
  const { weight, numRows, inAt, inStride = weight.cols } = call;
  const outStride = partStride(call);
  const noise = random.normals(numRows * outStride);
  scratch.set(noise, partsAt + noise.length);
  scratch.set(
    noise.map((value) => -value),
    partsAt + 2 * noise.length,
  );
  const product = gemm(gpu, { weight, numRows, inAt, inStride, outAt: partsAt, outStride });
  return [product, { call, partsAt, parts: MAX_PARTS }];
}

gpuTest('sum_parts', async (test) => {
  const { gpu, random } = test;
  const rows = random.between(5, 150);
  for (const shape of [
    { bias: true },
    { residual: 'in place' },
    { residual: 'apart', bias: true, outScale: 0.25, softcap: 3 },
  ] as const) {
    const numRows = random.between(1, 20);
    const made = linearCase({ format: 'w8', rows, cols: 64, numRows, strided: true, ...shape }, random);
    const [product, sums] = leaveParts(gpu, random, made);
    await checkLinear(test, made, [...product, sumParts(gpu, sums)]);
  }
});

async function checkAnyNumber({ gpu, random, runStep }: GpuTest, isFew: boolean): Promise<void> {
  for (const parts of [1, 2, 4, 5, 8, 14]) {
    const [numRows, rows] = [random.between(1, 3), 4 * random.between(1, 90)];
    const weight = { ...packedLinear('w', 'w4', rows, 64), slab: 0, byteOffset: 0 };
    const values = random.normals(parts * numRows * rows);
    const outAt = values.length + 4;
    const preparedAt = outAt + numRows * rows + 4;
    const scratch = nans(preparedAt + numRows * integerFloats(rows));
    scratch.set(values);
    const call = { weight, numRows, inAt: 0, outAt };
    const sums = { call, partsAt: 0, parts };
    const packed = packedLinear('next', 'w4', 8, rows, 32);
    const norm = { weight: { ...packedVector('norm', rows), slab: 0, byteOffset: 0 }, eps: EPS };
    const next = { weight: { ...packed, slab: 0, byteOffset: 0 }, numRows, inAt: outAt, outAt: 0, norm };
    const sum = isFew ? sumIntegerRows(gpu, sums, next, preparedAt, numRows, true) : sumParts(gpu, sums);
    const weights = new Uint32Array(random.normals(rows).buffer);
    const after = (await runStep({ scratch, weights }, [sum])).scratch;
    const expected = Array.from({ length: numRows * rows }, (_, i) => {
      let sum = 0;
      for (let part = 0; part < parts; part++) sum += values[part * numRows * rows + i] ?? Number.NaN;
      return sum;
    });
    assertClose(after.subarray(outAt, outAt + expected.length), expected, { rel: 1e-6 }, `${parts} parts`);
  }
}

gpuTest('sum_parts of any number', (test) => checkAnyNumber(test, false));
gpuTest('sum_few_rows of any number', (test) => checkAnyNumber(test, true), sharesGroups(32));

/** A case whose output another linear norms, with room for that one's rows behind everything else. */
function sharedCase(random: Random, bits: 4 | 8, groupSize: number, shape: 'plain' | 'residual' | 'all') {
  // the last octet may be half of one; long rows are several octets a thread
  const rows = 4 * (random.below(3) === 0 ? random.between(520, 1100) : random.between(1, 150));
  const numRows = random.between(1, 9);
  const made = linearCase(
    {
      ...{ format: 'w8', rows, cols: 64, numRows, isTaken: true },
      ...(shape === 'plain' ? {} : { residual: 'in place' }),
      ...(shape === 'all' ? { bias: true, outScale: 0.25, softcap: 3 } : {}),
    },
    random,
  );
  const slab = new Slab(random, made.weights);
  const gain = random.normals(rows);
  const norm = { weight: slab.place(packedVector('norm', rows), gain), eps: EPS };
  const packed = packedLinear('next', bits === 4 ? 'w4' : 'w8', 8, rows, groupSize);
  const weight = { ...packed, slab: 0, byteOffset: 0 };
  const preparedAt = Math.ceil(made.scratch.length / 4) * 4;
  const planeRows = numRows + random.below(8);
  const end = preparedAt + planeRows * integerFloats(rows);
  const scratch = new Float32Array(end + 8).fill(Number.NaN);
  scratch.set(made.scratch);
  const after = { scratch, weights: slab.words() };
  return { ...made, ...after, weight, norm, gain, preparedAt, planeRows, end };
}

for (const isFew of [false, true])
  for (const bits of [4, 8] as const)
    for (const groupSize of [32, 128])
      gpuTest(
        `${isFew ? 'sum_few_rows' : 'sum_integer_rows'} w${bits} g${groupSize}`,
        async ({ gpu, random, runStep, f16 }) => {
          for (const shape of ['plain', 'residual', 'all'] as const) {
            const made = sharedCase(random, bits, groupSize, shape);
            const { weight, norm, gain, preparedAt, planeRows, end } = made;
            const [product, sums] = leaveParts(gpu, random, made);
            const { numRows, outAt } = sums.call;
            const { cols, paddedCols } = weight;
            const next: LinearCall = { weight, numRows, inAt: outAt, outAt: 0, norm };
            const fused = [...product, sumIntegerRows(gpu, sums, next, preparedAt, planeRows, isFew)];
            const prepare = integerRows(gpu, next, preparedAt, planeRows, isFew);
            // Few rows are summed in another order.
            const apart = isFew ? [...fused, prepare] : [...product, sumParts(gpu, sums), prepare];
            const before = (await runStep(made, apart)).scratch;
            const { scratch } = await runStep(made, fused);
            const [words, wanted] = [scratch, before].map((floats) => new Uint32Array(floats.buffer));
            const other = wanted?.findIndex((word, i) => word !== words?.[i]) ?? 0;
            if (other >= 0)
              throw new Error(`${shape}, ${numRows} x ${cols}: word ${other} is not that of two kernels`);
            const outputs = made.expected.map(({ start }) => scratch.slice(start, start + cols));
            // As for any product: the one that was cut is made in halves where there are some.
            for (const [m, { values }] of made.expected.entries())
              assertClose(outputs[m] ?? [], values, { rel: f16 ? 5e-3 : 1e-5 }, `${shape}, output ${m}`);
            const groupCols = integerGroupCols(weight);
            const prepared = new Uint32Array(scratch.buffer).slice(preparedAt, end);
            const shown = { words: prepared, bits, numRows, planeRows, paddedCols, groupCols };
            const rows = integerRowValues(shown);
            const groups = Math.ceil(paddedCols / groupCols);
            for (const [m, y] of outputs.entries()) {
              const { values, squares } = deferredNorm(y, gain, groupCols);
              const ownSquares = rows.squares.slice(m * groups, m * groups + squares.length);
              if (isFew)
                assertClose(ownSquares, squares, { rel: 1e-5, abs: 0 }, `${shape}, squares of row ${m}`);
              const expected = isFew ? values : [...rmsNormTwin(y, gain, EPS)];
              while (expected.length < paddedCols) expected.push(0);
              for (let k = 0; k < paddedCols; k += groupCols) {
                const group = expected.slice(k, k + groupCols);
                const own = rows.values.slice(m * paddedCols + k, m * paddedCols + k + group.length);
                assertClose(own, group, { rel: 2e-5, abs: 0 }, `${shape}, row ${m} from ${k}`);
              }
            }
          }
        },
        sharesGroups(groupSize),
      );
