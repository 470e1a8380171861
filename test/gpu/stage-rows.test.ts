import { stagedFloats, stageRows } from '../../src/kernels/stage-rows';
import { packedLinear } from '../../src/weights/packed-tensor';
import { rmsNormTwin } from '../reference/rms-norm';
import { unitValues } from '../reference/stage-rows';
import { activationRows, checkAround } from './activation-rows';
import { assertClose, gpuTest } from './harness';

for (const normed of [false, true])
  gpuTest(`stage_rows${normed ? ' normed' : ''}`, async ({ gpu, random, runStep }) => {
    for (const cols of [4 * random.between(1, 12), 4 * random.between(13, 700)]) {
      const rowFloats = stagedFloats(cols);
      const made = activationRows(random, packedLinear('w', 'w4', 8, cols), normed, rowFloats);
      const { call, outAt, norm } = made;
      const { scratch } = await runStep(made, [stageRows(gpu, call, outAt)]);
      const words = new Uint32Array(scratch.buffer, scratch.byteOffset, scratch.length);
      for (const [m, x] of made.rows.entries()) {
        const { values, sums } = unitValues(words.slice(outAt + m * rowFloats, outAt + (m + 1) * rowFloats));
        const expected = Array.from(norm ? rmsNormTwin(x, norm.gain, norm.eps) : x);
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
      checkAround(made, scratch);
    }
  });
