import { rmsNorm } from '../../src/kernels/rms-norm';
import { packedVector } from '../../src/weights/packed-tensor';
import { rmsNormTwin } from '../reference/rms-norm';
import { assertClose, assertEqual, gpuTest, nans } from './harness';

const EPS = 1e-5;

for (const mode of ['apart', 'in place', 'added', 'added in place'] as const)
  gpuTest(`rms-norm ${mode}`, async ({ gpu, random, runStep }) => {
    for (const cols of [4, 8, 61, 64, 128, 384, random.between(100, 900), 2050]) {
      const numRows = random.between(1, 37);
      const stride = Math.ceil(cols / 4) * 4 + 4 * random.below(3);
      const [inAt, otherAt] = [8, 8 + numRows * stride + 4];
      const inPlace = mode === 'in place';
      const outAt = inPlace ? inAt : otherAt;
      const residualAt = mode === 'added' ? otherAt + numRows * stride + 4 : otherAt;
      const scratch = nans(residualAt + numRows * stride + 8);
      const gain = random.normals(cols);
      const weights = new Uint32Array(64 + Math.ceil(cols / 4) * 4).fill(0x7fc00000);
      weights.set(new Uint32Array(gain.buffer), 64);
      const added = mode === 'added' || mode === 'added in place';
      const residualScale = random.normal();
      const expected: Float64Array[] = [];
      for (let row = 0; row < numRows; row++) {
        // Row magnitudes over six orders: a row must only meet its own sum.
        const x = random.normals(cols, 10 ** random.between(-3, 3));
        scratch.set(x, inAt + row * stride);
        const residual = random.normals(cols);
        if (added) scratch.set(residual, residualAt + row * stride);
        const y = rmsNormTwin(x, gain, EPS);
        expected.push(added ? y.map((value, k) => (residual[k] ?? Number.NaN) + residualScale * value) : y);
      }
      const dispatch = rmsNorm(gpu, {
        numRows,
        cols,
        inAt,
        inStride: stride,
        outAt,
        outStride: stride,
        weight: { ...packedVector('norm', cols), slab: 0, byteOffset: 256 },
        eps: EPS,
        ...(added ? { residualAt, residualScale } : {}),
      });
      const result = await runStep({ weights, scratch }, [dispatch]);
      const after = new Uint32Array(result.scratch.buffer);
      const before = new Uint32Array(scratch.buffer);
      for (const [row, values] of expected.entries()) {
        const start = outAt + row * stride;
        assertClose(
          result.scratch.subarray(start, start + cols),
          values,
          { rel: 2e-6 },
          `${numRows}x${cols} row ${row}`,
        );
        after.set(before.subarray(start, start + cols), start);
      }
      assertEqual(
        before.findIndex((word, index) => word !== after[index]),
        -1,
        'first word changed outside the output',
      );
    }
  });
