/** Loads as on a graphics card: nothing is tried out, or known from before, on a software adapter. */

import { openGpu } from '../../src/gpu/device';
import { KeptTuning, tuningKey } from '../../src/llm/kept-tuning';
import { Llm } from '../../src/llm/llm';
import type { LoadOptions, ModelRef, ResidentTile } from '../../src/model-ref';
import { weightIdentity } from '../../src/weights/weight-identity';
import { WeightStore } from '../../src/weights/weight-store';

/** How often it looks whether all is tried out. */
const CHECK_MS = 50;

/** The dispatches of a decode step after a load of a model in the cache for which `tile` has been found to be fastest. */
export async function dispatchesOnceKept(
  model: ModelRef & { readonly revision: string },
  options: LoadOptions,
  tile: ResidentTile | null,
): Promise<number> {
  const flag = Object.getOwnPropertyDescriptor(GPUAdapterInfo.prototype, 'isFallbackAdapter');
  if (!flag) throw new Error('The adapter does not say whether it is software.');
  Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { ...flag, get: () => false });
  try {
    const gpu = await openGpu({ math: options.math ?? 'auto' });
    const key = tuningKey(gpu, options.kvBits ?? 8);
    gpu.destroy();
    const identity = weightIdentity({ id: model.id, url: '', revision: model.revision }, options);
    const kept = new KeptTuning(new WeightStore(), identity, key);
    await kept.read();
    await kept.write({ tile });
    const llm = new Llm(() => undefined);
    await llm.load(model, options, () => {});
    while (!(await llm.stats()).isTuned) await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    const { dispatchesPerDecodeStep } = await llm.stats();
    await llm.unload();
    return dispatchesPerDecodeStep;
  } finally {
    Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', flag);
  }
}
