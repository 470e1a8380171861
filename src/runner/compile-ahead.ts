import type { Gpu } from '../gpu/device';
import { type KvShape, kvLayout } from '../kvcache/kv-pool';
import { WeightTable } from '../layers/forward-context';
import type { Architecture } from '../models/architecture';
import type { ModelConfig } from '../models/config';
import type { PlacedTensors } from '../weights/packed-tensor';
import { GraphBuilder } from './graph';
import { KeyBiasTables } from './key-bias';
import { RopeTables } from './rope-tables';
import { recordSelfTest } from './self-test';
import { sampleStep, stepContext, stepsOf } from './step-forward';
import { permutedCols, planStepMemory } from './step-memory';
import { type WarmLimits, warmShapes } from './warm-shapes';

/** Nothing of it is submitted. */
const NO_BINDINGS = {} as GPUBindGroup;

export interface AheadOptions extends WarmLimits {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly architecture: Architecture;
  readonly tensors: PlacedTensors;
  /** No pipeline follows from its number of blocks. */
  readonly kv: KvShape;
}

/**
 * Requests the pipelines that a load waits for at its end from the places of the weights alone, so that they compile while the
 * weights are on their way. What layers keep out of their caches only the weights can say; attention with it compiles later.
 */
export function compileAhead({ gpu, config, architecture, tensors, kv, ...limits }: AheadOptions): void {
  const pool = { layout: kvLayout(kv), layerAt: () => 0 };
  const noBias = Array.from({ length: config.numLayers }, () => null);
  const { layout, regions } = planStepMemory(config, {
    ...limits,
    blockTokens: kv.blockTokens,
    permutedCols: permutedCols(tensors.values()),
  });
  const parts = {
    ...{ gpu, config, architecture, layout, regions, pool },
    weights: new WeightTable(tensors),
    ropes: new RopeTables(config.ropes),
    keyBias: new KeyBiasTables(config, noBias),
  };
  for (const [chunk, decode] of stepsOf(warmShapes(gpu, limits).first)) {
    const builder = new GraphBuilder(
      gpu,
      () => NO_BINDINGS,
      () => 0,
    );
    const context = stepContext(parts, chunk, decode, builder);
    architecture.forward(config, context);
    sampleStep(context, chunk, decode);
    builder.build();
  }
  recordSelfTest({ gpu, config, tensors, kv, ...limits, keyBias: noBias });
}
