import source from '../../shaders/embedding.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import { FORMAT_BITS } from '../weights/packed-tensor';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  codes_at: 'u32',
  scales_at: 'u32',
  padded_cols: 'u32',
  cols: 'u32',
  num_groups: 'u32',
  out_at: 'u32',
  slot: 'u32',
  start_position: 'u32',
  scale: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'embedding', source, params: PARAMS, bindings: STEP_BINDINGS };

export interface EmbeddingCall {
  readonly table: PlacedTensor;
  readonly numRows: number;
  /** Float offset in scratch of f32 [numRows][cols]. */
  readonly outAt: number;
  readonly scale: number;
  /** Where the rows come from: a prefill chunk of one slot, or the step's decode rows. */
  readonly prefill: { readonly slot: number; readonly startPosition: number } | null;
}

/** out[r, k] = scale · W[token(r), k]. */
export function embedding(gpu: Gpu, state: StateLayout, call: EmbeddingCall): Dispatch {
  const { table, numRows, prefill } = call;
  const bits = FORMAT_BITS[table.format];
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    BITS: bits,
    GROUP_SIZE: Math.max(1, table.groupSize),
    PREFILL: prefill !== null,
  });
  const params = packParams(PARAMS, {
    codes_at: table.byteOffset / 4,
    scales_at: (table.byteOffset + table.codesBytes) / 4,
    padded_cols: table.paddedCols,
    cols: table.cols,
    num_groups: table.numGroups,
    out_at: call.outAt,
    slot: prefill?.slot ?? 0,
    start_position: prefill?.startPosition ?? 0,
    scale: call.scale,
  });
  const words = Math.ceil((table.cols * bits) / 32);
  return { pipeline, params, workgroups: [Math.ceil(words / 64), numRows, 1] };
}
