import { halve, halvesFloats } from '../../src/kernels/halve';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { halfToFloat } from '../reference/half';
import { halveTwin } from '../reference/halve';
import { assertClose, gpuTest, nans } from './harness';

const EPS = 1e-5;
const NORM_AT = 64;

for (const format of ['w4', 'w8', 'w16'] as const)
  gpuTest(`halve ${format}`, async ({ gpu, random, runStep }) => {
    for (const normed of [false, true]) {
      const cols = 4 * random.between(1, 700);
      const numRows = random.between(1, 9);
      const inStride = cols + 4 * random.below(3);
      const inAt = 8;
      const outAt = inAt + numRows * inStride + 4;
      const end = outAt + numRows * halvesFloats(cols);
      const scratch = nans(end + 8);
      const gain = random.normals(cols);
      const weights = new Uint32Array(NORM_AT + cols).fill(0x7fc00000);
      weights.set(new Uint32Array(gain.buffer), NORM_AT);
      const expected: number[][] = [];
      for (let row = 0; row < numRows; row++) {
        // Beyond the range of half, too, where nothing is normed.
        const x = random.normals(cols, 10 ** random.between(-2, 5));
        scratch.set(x, inAt + row * inStride);
        expected.push(halveTwin(x, format, normed ? { gain, eps: EPS } : null));
      }
      const weight = { ...packedLinear('w', format, 8, cols), slab: 0, byteOffset: 0 };
      const norm = { weight: { ...packedVector('norm', cols), slab: 0, byteOffset: 4 * NORM_AT }, eps: EPS };
      const call = { weight, numRows, inAt, inStride, outAt: 0, ...(normed ? { norm } : {}) };
      const result = await runStep({ weights, scratch }, [halve(gpu, call, outAt)]);
      const words = new Uint32Array(result.scratch.buffer, result.scratch.byteOffset, result.scratch.length);
      const halves = [...words.subarray(outAt, end)].flatMap((word) => [
        halfToFloat(word & 0xffff),
        halfToFloat(word >>> 16),
      ]);
      // Half an ulp of a half, and what the norm is off by.
      for (const [row, values] of expected.entries())
        assertClose(halves.slice(row * values.length, (row + 1) * values.length), values, { rel: 6e-4 });
      for (const at of [...words.keys()].filter((at) => at >= end || at === outAt - 1))
        if (!Number.isNaN(result.scratch[at])) throw new Error(`scratch[${at}] was overwritten`);
    }
  });
