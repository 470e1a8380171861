import { type GemvTile, gemv, gemvTile } from '../../src/kernels/gemv';
import { type GpuTest, gpuTest } from './harness';
import { checkLinear, fusedWithFew, type LinearCase, linearCase } from './linear-case';

const FORMATS = [
  { format: 'w4', integer: false },
  { format: 'w4', integer: true },
  { format: 'w8', integer: false },
  { format: 'w16', integer: false },
] as const;

/** Activations as the twin has to take them. */
function units(integer: boolean): { readonly integer?: 'units' } {
  return integer ? { integer: 'units' } : {};
}

/** What the kernel chooses, but in this arithmetic; integers take long to compile for a processor, so with fewer rows there. */
function dispatch({ gpu }: GpuTest, { call, integer }: LinearCase) {
  const tile = gemvTile(gpu, call);
  return [gemv(gpu, call, { ...tile, integer, ...(gpu.isSoftware && integer ? { rowsPerThread: 2 } : {}) })];
}

for (const { format, integer } of FORMATS)
  for (const numRows of [1, 2, 3, 4])
    gpuTest(`gemv ${format}${integer ? ' integer' : ''} ${numRows} rows`, async (test) => {
      const { random } = test;
      for (const cols of [32 * random.between(1, 20), 4 * random.between(1, 150)]) {
        const groupSize = random.pick([32, 64, 128]);
        const rows = random.between(1, 70);
        const made = linearCase(
          { format, ...units(integer), rows, cols, numRows, groupSize, strided: random.below(2) === 1 },
          random,
        );
        await checkLinear(test, made, dispatch(test, made));
      }
    });

for (const { format, integer } of FORMATS)
  gpuTest(`gemv ${format}${integer ? ' integer' : ''} fused`, async (test) => {
    const { random } = test;
    for (const numRows of [1, 3]) {
      const cols = 4 * random.between(40, 120);
      const rows = random.between(5, 60);
      const all = { format, ...units(integer), cols, numRows, strided: true } as const;
      for (const shape of fusedWithFew(rows)) {
        const made = linearCase({ ...all, ...shape }, random);
        await checkLinear(test, made, dispatch(test, made));
      }
    }
  });

gpuTest('gemv tiles', async (test) => {
  const { gpu, random } = test;
  const tiles: GemvTile[] = [
    { lanes: 4, rowsPerThread: 1, threads: 64, depth: 1, integer: false, maxWorkgroups: 3, stageBytes: 4096 },
    { lanes: 8, rowsPerThread: 2, threads: 32, depth: 2, integer: true, maxWorkgroups: 1, stageBytes: 4096 },
    {
      lanes: 32,
      rowsPerThread: 4,
      threads: 64,
      depth: 1,
      integer: true,
      maxWorkgroups: 65535,
      stageBytes: 4096,
    },
    {
      lanes: 64,
      rowsPerThread: 2,
      threads: 128,
      depth: 2,
      integer: true,
      maxWorkgroups: 2,
      stageBytes: 4096,
    },
    {
      lanes: 4,
      rowsPerThread: 2,
      threads: 32,
      depth: 2,
      integer: false,
      maxWorkgroups: 65535,
      stageBytes: 2048,
    },
    {
      lanes: 128,
      rowsPerThread: 4,
      threads: 128,
      depth: 1,
      integer: true,
      maxWorkgroups: 1,
      stageBytes: 4096,
    },
    {
      lanes: 128,
      rowsPerThread: 1,
      threads: 256,
      depth: 1,
      integer: true,
      maxWorkgroups: 65535,
      stageBytes: 4096,
    },
  ];
  for (const tile of tiles)
    for (const gated of tile.rowsPerThread > 1 ? [false, true] : [false]) {
      const rows = 2 * random.between(1, 40);
      const shape = {
        format: 'w4',
        ...units(tile.integer),
        rows,
        cols: 1376,
        numRows: tile.lanes > 32 ? 1 : random.between(1, 4),
        norm: true,
      } as const;
      const made = linearCase(
        gated ? { ...shape, gate: 'silu' } : { ...shape, residual: 'in place' },
        random,
      );
      await checkLinear(test, made, [gemv(gpu, made.call, tile)]);
    }
});

gpuTest('gemv groups and zero points', async (test) => {
  const { random } = test;
  for (const { format, integer } of FORMATS.filter(({ format }) => format !== 'w16'))
    for (const groupSize of [32, 64, 128, 1024]) {
      const shape = {
        format,
        ...units(integer),
        rows: 9,
        cols: 300,
        numRows: random.between(1, 2),
        groupSize,
        brokenZeros: true,
      };
      const made = linearCase({ ...shape, norm: groupSize === 64 }, random);
      await checkLinear(test, made, dispatch(test, made));
    }
});

gpuTest('gemv more workgroups than one dimension holds', async (test) => {
  const made = linearCase(
    { format: 'w4', rows: 65_535 + 21, cols: 4, numRows: 1, groupSize: 32 },
    test.random,
  );
  const tile: GemvTile = {
    ...gemvTile(test.gpu, made.call),
    lanes: 4,
    rowsPerThread: 1,
    threads: 4,
    depth: 1,
    integer: false,
  };
  await checkLinear(test, made, [gemv(test.gpu, made.call, tile)]);
});

gpuTest('gemv in integers keeps the digits', async (test) => {
  const shape = { format: 'w4', rows: 50, cols: 1024, numRows: 1, norm: true } as const;
  const made = linearCase(shape, test.random);
  const integers = linearCase({ ...shape, integer: 'units' }, test.random);
  for (const each of [made, integers]) {
    const [dispatches] = [[gemv(test.gpu, each.call, { ...gemvTile(test.gpu, each.call), integer: true })]];
    await checkLinear(test, each, dispatches, 1e-4);
  }
});
