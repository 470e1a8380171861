import type { BoundDispatches, Dispatch } from '../gpu/dispatch';

/** Dispatches of a step, cut into runs that share weight slab and KV slab (and so a bind group). */
export interface Graph {
  readonly runs: readonly BoundDispatches[];
  readonly numDispatches: number;
}

/** Collects dispatches in order and binds them: a new bind group only where a slab changes. */
export class GraphBuilder {
  readonly #bindGroup: (weightSlab: number, kvSlab: number) => GPUBindGroup;
  readonly #slabOfLayer: (layer: number) => number;
  readonly #runs: { bindGroup: GPUBindGroup; dispatches: Dispatch[] }[] = [];
  #numDispatches = 0;
  #kvSlab = 0;

  constructor(
    bindGroup: (weightSlab: number, kvSlab: number) => GPUBindGroup,
    slabOfLayer: (layer: number) => number,
  ) {
    this.#bindGroup = bindGroup;
    this.#slabOfLayer = slabOfLayer;
  }

  push(dispatches: readonly Dispatch[], weightSlab: number, layer?: number): void {
    if (layer !== undefined) this.#kvSlab = this.#slabOfLayer(layer);
    const bindGroup = this.#bindGroup(weightSlab, this.#kvSlab);
    const last = this.#runs.at(-1);
    if (last?.bindGroup === bindGroup) last.dispatches.push(...dispatches);
    else this.#runs.push({ bindGroup, dispatches: [...dispatches] });
    this.#numDispatches += dispatches.length;
  }

  build(): Graph {
    return { runs: this.#runs, numDispatches: this.#numDispatches };
  }
}
