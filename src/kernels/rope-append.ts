import source from '../../shaders/rope_append.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import { type KvLayout, kvDefines, layoutKey } from './kv-layout';
import {
  ROPE_HEAD_PARAMS,
  type RopeHeadCall,
  ropeHeadDefines,
  ropeHeadKey,
  ropeHeadParams,
} from './rope-head';
import { STEP_BINDINGS } from './step-bindings';
import { type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  ...ROPE_HEAD_PARAMS,
  qkv_at: 'u32',
  layer_at: 'u32',
  first_row: 'u32',
  terms_at: 'u32',
  terms_stride: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'rope_append', source, params: PARAMS, bindings: STEP_BINDINGS };

export interface RopeAppendCall extends RopeHeadCall {
  readonly numRows: number;
  /** Float offset in scratch of f32 [numRows][numHeads + 2 · numKvHeads][headDim]; q is rewritten in place. */
  readonly qkvAt: number;
  readonly numHeads: number;
  /** Word offset of the layer in the bound KV slab. */
  readonly layerAt: number;
}

/** Norms and rotates q and k of a chunk, scales q in place, quantises k and v into the paged cache at each row's position. */
export function ropeAppend(gpu: Gpu, state: StateLayout, layout: KvLayout, call: RopeAppendCall): Dispatch {
  const { numRows, numHeads, keyBias = null } = call;
  const key = `${layoutKey(state, layout)} ${numHeads} ${ropeHeadKey(call)}`;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, key, () => ({
    ...gpu.defines,
    ...stateDefines(state),
    ...kvDefines(layout, 1, false),
    ...ropeHeadDefines(call),
    WG_SIZE: 32,
    LANES: 32,
    HEADS: numHeads,
    PREFILL: true,
  }));
  const params = packParams(PARAMS, {
    ...ropeHeadParams(state, call),
    qkv_at: call.qkvAt,
    layer_at: call.layerAt,
    first_row: 0,
    terms_at: keyBias?.termsAt ?? 0,
    terms_stride: keyBias?.termsStride ?? 0,
  });
  return { pipeline, params, workgroups: [numHeads + 2 * layout.numKvHeads, numRows, 1] };
}
