import { halve, halvesFloats } from '../../src/kernels/halve';
import { packedLinear } from '../../src/weights/packed-tensor';
import { halfToFloat } from '../reference/half';
import { halveTwin } from '../reference/halve';
import { activationRows, checkAround } from './activation-rows';
import { assertClose, gpuTest } from './harness';

for (const format of ['w4', 'w8', 'w16'] as const)
  gpuTest(`halve ${format}`, async ({ gpu, random, runStep }) => {
    for (const normed of [false, true]) {
      const cols = 4 * random.between(1, 700);
      // Beyond the range of half, too, where nothing is normed.
      const made = activationRows(random, packedLinear('w', format, 8, cols), normed, halvesFloats(cols));
      const { call, outAt, end, norm } = made;
      const expected = made.rows.map((x) => halveTwin(x, format, norm));
      const { scratch } = await runStep(made, [halve(gpu, call, outAt)]);
      const words = new Uint32Array(scratch.buffer, scratch.byteOffset, scratch.length);
      const halves = [...words.subarray(outAt, end)].flatMap((word) => [
        halfToFloat(word & 0xffff),
        halfToFloat(word >>> 16),
      ]);
      // Half an ulp of a half, and what the norm is off by.
      for (const [row, values] of expected.entries())
        assertClose(halves.slice(row * values.length, (row + 1) * values.length), values, { rel: 6e-4 });
      checkAround(made, scratch);
    }
  });
