import type { Gpu } from '../gpu/device';
import type { BoundDispatches, Dispatch } from '../gpu/dispatch';
import { type PartSums, sumParts } from '../kernels/part-sums';
import type { DispatchSink } from '../layers/forward-context';

/** Dispatches of a step, cut into runs that share weight slab and KV slab (and so a bind group). */
export interface Graph {
  readonly runs: readonly BoundDispatches[];
  readonly numDispatches: number;
}

/** Takes the next dispatches of a step while those behind them are put together. */
export type TakePart = (part: Graph) => void;

/** As long as the GPU computes the dispatches of a part, those of the next are put together and reach it. */
const PART_DISPATCHES = 32;

/** Gives a graph to `takePart` in parts, as if it were put together now, and returns the last. */
export function inParts({ runs }: Graph, takePart: TakePart): Graph {
  let part: BoundDispatches[] = [];
  let numDispatches = 0;
  for (const { bindGroup, dispatches } of runs)
    for (let from = 0; from < dispatches.length; ) {
      const some = dispatches.slice(from, from + PART_DISPATCHES - numDispatches);
      part.push({ bindGroup, dispatches: some });
      from += some.length;
      numDispatches += some.length;
      if (numDispatches < PART_DISPATCHES) continue;
      takePart({ runs: part, numDispatches });
      part = [];
      numDispatches = 0;
    }
  return { runs: part, numDispatches };
}

/** Parts of a graph as one. */
export function joined(parts: readonly Graph[]): Graph {
  const runs = parts.flatMap((part) => part.runs);
  return { runs, numDispatches: parts.reduce((sum, part) => sum + part.numDispatches, 0) };
}

/**
 * Collects dispatches in order and binds them: a new bind group only where a slab changes. With `takePart`, they leave in
 * parts, and `build` gives the last. Sums that were left are finished before anything else comes, or at the end, unless someone
 * has taken them: all dispatches of a step pass through here.
 */
export class GraphBuilder implements DispatchSink {
  readonly #gpu: Gpu;
  readonly #bindGroup: (weightSlab: number, kvSlab: number) => GPUBindGroup;
  readonly #slabOfLayer: (layer: number) => number;
  readonly #takePart: TakePart | null;
  #runs: { bindGroup: GPUBindGroup; dispatches: Dispatch[] }[] = [];
  #numDispatches = 0;
  #kvSlab = 0;
  #left: PartSums | null = null;

  constructor(
    gpu: Gpu,
    bindGroup: (weightSlab: number, kvSlab: number) => GPUBindGroup,
    slabOfLayer: (layer: number) => number,
    takePart: TakePart | null = null,
  ) {
    this.#gpu = gpu;
    this.#bindGroup = bindGroup;
    this.#slabOfLayer = slabOfLayer;
    this.#takePart = takePart;
  }

  push(dispatches: readonly Dispatch[], weightSlab: number, layer?: number): void {
    this.#finishLeft();
    this.#append(dispatches, weightSlab, layer);
  }

  leaveSums(sums: PartSums): void {
    this.#finishLeft();
    this.#left = sums;
  }

  takeSums(wanted: (sums: PartSums) => boolean): PartSums | null {
    const left = this.#left;
    if (left === null || !wanted(left)) return null;
    this.#left = null;
    return left;
  }

  /** What has come since the last call. */
  build(): Graph {
    this.#finishLeft();
    const graph = { runs: this.#runs, numDispatches: this.#numDispatches };
    this.#runs = [];
    this.#numDispatches = 0;
    return graph;
  }

  #finishLeft(): void {
    const left = this.#left;
    if (left === null) return;
    this.#left = null;
    this.#append([sumParts(this.#gpu, left)], left.call.weight.slab);
  }

  #append(dispatches: readonly Dispatch[], weightSlab: number, layer?: number): void {
    if (layer !== undefined) this.#kvSlab = this.#slabOfLayer(layer);
    const bindGroup = this.#bindGroup(weightSlab, this.#kvSlab);
    const last = this.#runs.at(-1);
    if (last?.bindGroup === bindGroup) last.dispatches.push(...dispatches);
    else this.#runs.push({ bindGroup, dispatches: [...dispatches] });
    this.#numDispatches += dispatches.length;
    if (this.#takePart && this.#numDispatches >= PART_DISPATCHES) this.#takePart(this.build());
  }
}
