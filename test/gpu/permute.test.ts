import { permute } from '../../src/kernels/permute';
import { packedOrder, packedVector } from '../../src/weights/packed-tensor';
import { permuteTwin } from '../reference/permute';
import { assertClose, assertEqual, gpuTest, nans } from './harness';

const EPS = 1e-5;

for (const normed of [false, true])
  gpuTest(`permute${normed ? ' normed' : ''}`, async ({ gpu, random, runStep }) => {
    for (const cols of [8, 61, 128, random.between(100, 900), 2050]) {
      const numRows = random.between(1, 9);
      const [inStride, outStride] = [cols + random.below(9), cols + random.below(9)];
      const [inAt, outAt] = [5, 5 + numRows * inStride + 3];
      const scratch = nans(outAt + numRows * outStride + 7);
      const order = Uint32Array.from(
        [...random.normals(cols).entries()].sort((a, b) => a[1] - b[1]),
        ([k]) => k,
      );
      const gain = random.normals(cols);
      const normAt = Math.ceil(cols / 4) * 4;
      const weights = new Uint32Array(64 + normAt + cols).fill(0x7fc00000);
      weights.set(order, 64);
      weights.set(new Uint32Array(gain.buffer), 64 + normAt);
      const rows = Array.from({ length: numRows }, () => random.normals(cols, 10 ** random.between(-3, 3)));
      for (const [row, x] of rows.entries()) scratch.set(x, inAt + row * inStride);
      const dispatch = permute(gpu, {
        numRows,
        inAt,
        inStride,
        outAt,
        outStride,
        order: { ...packedOrder('w', cols), slab: 0, byteOffset: 256 },
        ...(normed
          ? {
              norm: {
                weight: { ...packedVector('n', cols), slab: 0, byteOffset: 256 + 4 * normAt },
                eps: EPS,
              },
            }
          : {}),
      });
      const result = await runStep({ weights, scratch }, [dispatch]);
      const [after, before] = [new Uint32Array(result.scratch.buffer), new Uint32Array(scratch.buffer)];
      for (const [row, x] of rows.entries()) {
        const start = outAt + row * outStride;
        const expected = permuteTwin(x, order, normed ? { gain, eps: EPS } : null);
        assertClose(
          result.scratch.subarray(start, start + cols),
          expected,
          // a gather alone is exact; the norm has a sum and a square root of the GPU in it
          normed ? { rel: 2e-6 } : { rel: 0, abs: 0 },
          `${numRows}x${cols} row ${row}`,
        );
        after.set(before.subarray(start, start + cols), start);
      }
      const changed = before.findIndex((word, index) => word !== after[index]);
      assertEqual(changed, -1, 'first word changed outside the output');
    }
  });
