import source from '../../shaders/gemm_integer.wgsl?raw';
import type { Gpu } from '../../src/gpu/device';
import type { PipelineCache, ShaderProgram } from '../../src/gpu/pipeline';
import { gemmInteger, INTEGER_TILES } from '../../src/kernels/gemm-integer';
import { integerFloats } from '../../src/kernels/integer-rows';
import { LINEAR_PARAMS } from '../../src/kernels/linear-call';
import { STEP_BINDINGS } from '../../src/kernels/step-bindings';
import { packedLinear } from '../../src/weights/packed-tensor';
import { randomPacked } from '../reference/packed';
import { gpuTest } from './harness';

/** gemm_integer up to its matrices: what a workgroup has staged of the last groups of K goes to the output as it is. */
const STAGED: ShaderProgram = {
  name: 'staged by gemm_integer',
  source: `${source.slice(0, source.indexOf('alias Left'))}
var<workgroup> memory: buffer<(SCALES_AT + 2 * SCALES) * 4>;
#import integer_pieces
@compute @workgroup_size(WG_SIZE)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  const LAST = (GROUPS - 1u) / WARPS_K * WARPS_K;
  store_pieces(wg, load_pieces(wg, LAST, index), index);
  workgroupBarrier();
  let words = bufferView<array<f32, SCALES_AT + 2u * SCALES>>(&memory, 0);
  for (var i = index; i < SCALES_AT + 2u * SCALES; i += WG_SIZE) {
    scratch[(params.out_at + i) / 4u][i % 4u] = words[i];
  }
}
`,
  params: LINEAR_PARAMS,
  bindings: STEP_BINDINGS,
};

/** The same GPU with that in the place of the kernel. */
function staging(gpu: Gpu): Gpu {
  const { pipelines } = gpu;
  const requestOnce: PipelineCache['requestOnce'] = (program, key, defines) =>
    program.name === 'gemm_integer'
      ? pipelines.requestOnce(STAGED, key, () => ({ ...defines(), SUBGROUP_MATRIX: false }))
      : pipelines.requestOnce(program, key, defines);
  return { ...gpu, pipelines: { requestOnce } as PipelineCache };
}

/** More than these tiles have of workgroup memory. */
const STAGED_WORDS = 8192;

// The largest tile, which is not for few rows, has more workgroup memory than every adapter.
for (const [name, tile] of Object.entries(INTEGER_TILES).filter(([name]) => name !== '64x128'))
  gpuTest(
    `gemm_integer ${name} rounds floats as integer_rows does`,
    async ({ gpu, random, runStep }) => {
      const [bm, bn] = [16 * tile.tm * tile.warps[0], 16 * tile.tn * tile.warps[1]];
      for (const format of ['w4', 'w8'] as const) {
        const cols = 4 * random.between(1, 90);
        const groupSize = gpu.subgroupSize < 16 ? 32 : random.pick([32, 64, 128]);
        const numRows = random.between(1, bm);
        const packed = packedLinear('w', format, random.between(1, bn), cols, groupSize);
        const weight = { ...packed, slab: 0, byteOffset: 0 };
        const inStride = cols + 4 * random.below(3);
        const outAt = numRows * inStride + 4;
        const rowsAt = outAt + STAGED_WORDS;
        const scratch = new Float32Array(rowsAt + numRows * integerFloats(cols) + 8).fill(Number.NaN);
        for (let m = 0; m < numRows; m++)
          scratch.set(random.normals(cols, 10 ** random.between(-2, 5)), m * inStride);
        const weights = randomPacked(packed, random);
        const call = { weight, numRows, inAt: 0, inStride, outAt };
        const [whole, apart] = await Promise.all(
          [true, false].map(async (readsFloats) => {
            const cut = { tile, parts: 1, readsFloats };
            const room = { rowsAt, partsAt: 0, partFloats: 0 };
            const dispatches = gemmInteger(staging(gpu), call, room, cut);
            const after = await runStep({ weights, scratch }, dispatches);
            return new Uint32Array(after.scratch.buffer).slice(outAt, rowsAt);
          }),
        );
        const other = apart?.findIndex((word, i) => word !== whole?.[i]) ?? 0;
        const what = `${format}, ${numRows} x ${cols}, g${groupSize}`;
        if (other >= 0) throw new Error(`${what}: word ${other} is ${whole?.[other]}, not ${apart?.[other]}`);
        if (apart?.every((word) => word === apart[0])) throw new Error(`${what}: nothing was staged`);
      }
    },
    // Neighbours of one subgroup share a group.
    ({ subgroupSize }) => subgroupSize >= 4,
  );
