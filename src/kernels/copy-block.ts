import source from '../../shaders/copy_block.wgsl?raw';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import type { KvLayout } from './kv-layout';
import { STEP_BINDINGS } from './step-bindings';

const PARAMS = { from_at: 'u32', to_at: 'u32', block_quads: 'u32', layer_quads: 'u32' } as const;

const PROGRAM: ShaderProgram = { name: 'copy_block', source, params: PARAMS, bindings: STEP_BINDINGS };

const WG_SIZE = 128;

export interface CopyBlockCall {
  /** Ids of blocks of the pool. */
  readonly from: number;
  readonly to: number;
  /** That the bound KV slab holds. */
  readonly numLayers: number;
}

/**
 * Block `to` of every layer of a KV slab becomes what block `from` is. One launch, where copyBufferToBuffer takes two for every
 * layer, which wait for each other.
 */
export function copyBlock(gpu: Gpu, layout: KvLayout, { from, to, numLayers }: CopyBlockCall): Dispatch {
  const { blockWords, layerWords } = layout;
  const pipeline = gpu.pipelines.requestOnce(PROGRAM, '', () => ({ ...gpu.defines, WG_SIZE }));
  const params = packParams(PARAMS, {
    from_at: (from * blockWords) / 4,
    to_at: (to * blockWords) / 4,
    block_quads: blockWords / 4,
    layer_quads: layerWords / 4,
  });
  return { pipeline, params, workgroups: [Math.ceil(blockWords / 4 / WG_SIZE), numLayers, 1] };
}
