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
  first_row: 'u32',
  scale: 'f32',
} as const;

const PROGRAM: ShaderProgram = { name: 'embedding', source, params: PARAMS, bindings: STEP_BINDINGS };

export interface EmbeddingCall {
  readonly table: PlacedTensor;
  readonly numRows: number;
  /** Float offset in scratch of f32 [numRows][cols]. */
  readonly outAt: number;
  readonly scale: number;
  readonly rows: 'chunk' | 'decode';
}

/** out[r, k] = scale · W[token(r), k]. */
export function embedding(gpu: Gpu, state: StateLayout, call: EmbeddingCall): Dispatch {
  const { table, numRows, rows } = call;
  const bits = FORMAT_BITS[table.format];
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    BITS: bits,
    GROUP_SIZE: Math.max(1, table.groupSize),
    PREFILL: rows === 'chunk',
  });
  const params = packParams(PARAMS, {
    codes_at: table.byteOffset / 4,
    scales_at: (table.byteOffset + table.codesBytes) / 4,
    padded_cols: table.paddedCols,
    cols: table.cols,
    num_groups: table.numGroups,
    out_at: call.outAt,
    first_row: 0,
    scale: call.scale,
  });
  const words = Math.ceil((table.cols * bits) / 32);
  return { pipeline, params, workgroups: [Math.ceil(words / 64), numRows, 1] };
}
