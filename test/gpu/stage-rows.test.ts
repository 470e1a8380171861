import { stagedFloats, stageRows } from '../../src/kernels/stage-rows';
import { packedLinear, packedVector } from '../../src/weights/packed-tensor';
import { rmsNormTwin } from '../reference/rms-norm';
import { unitValues } from '../reference/stage-rows';
import { assertClose, gpuTest, nans } from './harness';

const EPS = 1e-5;
const NORM_AT = 64;

for (const normed of [false, true])
  gpuTest(`stage_rows${normed ? ' normed' : ''}`, async ({ gpu, random, runStep }) => {
    for (const cols of [4 * random.between(1, 12), 4 * random.between(13, 700)]) {
      const numRows = random.between(1, 9);
      const inStride = cols + 4 * random.below(3);
      const inAt = 8;
      const rowFloats = stagedFloats(cols);
      const outAt = inAt + numRows * inStride + 4;
      const end = outAt + numRows * rowFloats;
      const scratch = nans(end + 8);
      const gain = random.normals(cols);
      const weights = new Uint32Array(NORM_AT + cols).fill(0x7fc00000);
      weights.set(new Uint32Array(gain.buffer), NORM_AT);
      const rows = Array.from({ length: numRows }, () => random.normals(cols, 10 ** random.between(-2, 5)));
      for (const [m, x] of rows.entries()) scratch.set(x, inAt + m * inStride);
      const weight = { ...packedLinear('w', 'w4', 8, cols), slab: 0, byteOffset: 0 };
      const norm = { weight: { ...packedVector('norm', cols), slab: 0, byteOffset: 4 * NORM_AT }, eps: EPS };
      const call = { weight, numRows, inAt, inStride, outAt: 0, ...(normed ? { norm } : {}) };
      const result = await runStep({ weights, scratch }, [stageRows(gpu, call, outAt)]);
      const words = new Uint32Array(result.scratch.buffer, result.scratch.byteOffset, result.scratch.length);
      for (const [m, x] of rows.entries()) {
        const { values, sums } = unitValues(words.slice(outAt + m * rowFloats, outAt + (m + 1) * rowFloats));
        const expected = Array.from(normed ? rmsNormTwin(x, gain, EPS) : x);
        while (expected.length < values.length) expected.push(0);
        for (const [u, sum] of sums.entries()) {
          const unit = expected.slice(u * 32, (u + 1) * 32);
          // Half a step of the largest of the unit, and what the norm is off by.
          assertClose(values.slice(u * 32, (u + 1) * 32), unit, { rel: 2e-5, abs: 0 }, `unit ${u}`);
          const total = values.slice(u * 32, (u + 1) * 32).reduce((all, value) => all + value, 0);
          const top = Math.max(...unit.map(Math.abs));
          assertClose([sum], [total], { rel: 0, abs: 1e-5 * top + 1e-12 }, `sum of unit ${u}`);
        }
      }
      for (const at of [...words.keys()].filter((at) => at >= end || at === outAt - 1))
        if (!Number.isNaN(result.scratch[at])) throw new Error(`scratch[${at}] was overwritten`);
    }
  });
