import { gemmInteger, integerProduct, partSums } from '../../src/kernels/gemm-integer';
import { FEW_ROWS, INTEGER_TILES, planeRows } from '../../src/kernels/integer-cut';
import { integerRows } from '../../src/kernels/integer-rows';
import { sumParts } from '../../src/kernels/part-sums';
import { assertEqual, gpuTest } from './harness';
import { checkLinear, fusedOnMatrices, type LinearCase, linearCase, MAX_PARTS } from './linear-case';

const FORMATS = ['w4', 'w8'] as const;
const hasByteMatrices = ({ byteMatrices }: { readonly byteMatrices: boolean }) => byteMatrices;
const integer = 'groups';

function room({ call, halvesAt, partsAt }: LinearCase) {
  return { rowsAt: halvesAt, partsAt, partFloats: MAX_PARTS * call.numRows * call.weight.rows };
}

for (const format of FORMATS)
  gpuTest(
    `gemm_integer ${format}`,
    async (test) => {
      const { gpu, random } = test;
      for (const numRows of [1, 8, 17, random.between(18, 140), 200]) {
        const cols = random.pick([32 * random.between(1, 20), 4 * random.between(9, 150)]);
        const groupSize = random.pick([32, 64, 96, 128, 256]);
        const rows = random.between(1, 300);
        const strided = random.below(2) === 1;
        const made = linearCase(
          { format, integer, rows, cols, numRows, groupSize, strided, brokenZeros: true },
          random,
        );
        await checkLinear(test, made, gemmInteger(gpu, made.call, room(made)));
      }
    },
    hasByteMatrices,
  );

for (const [name, tile] of Object.entries(INTEGER_TILES))
  gpuTest(
    `gemm_integer tile ${name}`,
    async (test) => {
      const { gpu, random } = test;
      const maxRows = tile.few ? FEW_ROWS : 150;
      const cols = 4 * random.between(40, 120);
      const rows = random.between(5, 150);
      const groupSize = random.pick([32, 64, 128]);
      const parts = random.between(1, MAX_PARTS);
      for (const shape of fusedOnMatrices(rows)) {
        const numRows = random.between(1, maxRows);
        const made = linearCase(
          { format: random.pick(FORMATS), integer, cols, numRows, groupSize, strided: true, ...shape },
          random,
        );
        const cut = { tile, parts: 'gate' in shape ? 1 : parts };
        await checkLinear(test, made, gemmInteger(gpu, made.call, room(made), cut));
      }
    },
    hasByteMatrices,
  );

for (const [name, tile] of Object.entries(INTEGER_TILES))
  gpuTest(
    `gemm_integer tile ${name}, rounds on their way`,
    async (test) => {
      const { gpu, random } = test;
      const rows = random.between(5, 90);
      // 16, 12 and 10 groups; one part and two
      for (const [groups, parts] of [
        [16, 1],
        [16, 2],
        [12, 1],
        [10, 1],
      ] as const) {
        const numRows = random.between(1, tile.few ? FEW_ROWS : 70);
        const groupSize = random.pick([32, 64, 128]);
        const format = random.pick(FORMATS);
        const made = linearCase(
          {
            format,
            integer,
            rows,
            cols: groups * groupSize,
            numRows,
            groupSize,
            norm: true,
            brokenZeros: true,
          },
          random,
        );
        await checkLinear(test, made, gemmInteger(gpu, made.call, room(made), { tile, parts }));
      }
    },
    hasByteMatrices,
  );

for (const [name, tile] of Object.entries(INTEGER_TILES).filter(([, { few }]) => few))
  gpuTest(
    `gemm_integer tile ${name} takes floats as it takes integers`,
    async (test) => {
      const { gpu, random, runStep } = test;
      for (const [groups, parts] of [
        [16, 2],
        [24, 3],
        [4, 1],
      ] as const) {
        const groupSize = random.pick([32, 64, 128]);
        const shape = { rows: random.between(5, 150), cols: groups * groupSize };
        const numRows = random.between(1, FEW_ROWS);
        const format = random.pick(FORMATS);
        const made = linearCase({ format, integer, ...shape, numRows, groupSize, brokenZeros: true }, random);
        const { call } = made;
        const [scratch, cut] = [room(made), { tile, parts }];
        const sums = partSums(call, scratch, cut);
        const finish = sums ? [sumParts(gpu, sums)] : [];
        const fused = [...integerProduct(gpu, call, scratch, cut, null), ...finish];
        assertEqual(fused.length, 1 + finish.length, 'launches');
        await checkLinear(test, made, fused);
        const apart = [
          integerRows(gpu, call, scratch.rowsAt, planeRows(numRows, tile)),
          ...integerProduct(gpu, call, scratch, cut, 'prepared'),
          ...finish,
        ];
        const [one, other] = [await runStep(made, fused), await runStep(made, apart)];
        const end = call.outAt + numRows * (call.outStride ?? shape.rows);
        const outputs = (scratch: Float32Array) => scratch.slice(call.outAt, end).join();
        assertEqual(outputs(one.scratch), outputs(other.scratch), 'results');
      }
    },
    hasByteMatrices,
  );

gpuTest(
  'gemm_integer large',
  async (test) => {
    const made = linearCase(
      { format: 'w4', integer, rows: 1030, cols: 1536, numRows: 300, norm: true, brokenZeros: true },
      test.random,
    );
    await checkLinear(test, made, gemmInteger(test.gpu, made.call, room(made)));
  },
  hasByteMatrices,
);
