import type { Gpu } from './device';
import type { PipelineHandle } from './pipeline';
import { MAX_PARAM_BYTES } from './shader';

/** One kernel launch, ready to be recorded any number of times. */
export interface Dispatch {
  readonly pipeline: PipelineHandle;
  /** Packed scalars; at most 64 bytes. */
  readonly params: Uint32Array<ArrayBuffer>;
  readonly workgroups: readonly [number, number, number];
}

/** Dispatches that share a bind group. */
export interface BoundDispatches {
  readonly bindGroup: GPUBindGroup;
  readonly dispatches: readonly Dispatch[];
}

/** The programs that these take. */
export function pipelinesOf(
  groups: readonly { readonly dispatches: readonly Dispatch[] }[],
): ReadonlySet<PipelineHandle> {
  return new Set(groups.flatMap(({ dispatches }) => dispatches.map(({ pipeline }) => pipeline)));
}

/** Of one dimension of a launch, whatever the adapter. */
export const MAX_WORKGROUPS = 65535;

/** So many workgroups and a few more, number x + y · MAX_WORKGROUPS, in a launch of as few rows as they fit into. */
export function workgroupGrid(count: number): Dispatch['workgroups'] {
  return [Math.min(count, MAX_WORKGROUPS), Math.ceil(count / MAX_WORKGROUPS), 1];
}

const UNIFORM_STRIDE = 256;

/**
 * Records dispatch lists into compute passes. Where the browser has immediates, scalars ride in the command; elsewhere
 * they go to one uniform buffer, written just before the submit, so a recorder serves one submit at a time.
 */
export class Recorder {
  readonly #gpu: Gpu;
  #uniforms: GPUBuffer | undefined;
  #uniformGroup: GPUBindGroup | undefined;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** One pass over all `groups`, in order. */
  record(
    encoder: GPUCommandEncoder,
    groups: readonly BoundDispatches[],
    timing?: GPUComputePassTimestampWrites,
  ): void {
    if (!this.#gpu.immediates) this.#upload(groups);
    const pass = encoder.beginComputePass(timing ? { timestampWrites: timing } : {});
    let last: GPUComputePipeline | undefined;
    let index = 0;
    for (const { bindGroup, dispatches } of groups) {
      pass.setBindGroup(0, bindGroup);
      for (const { pipeline: handle, params, workgroups } of dispatches) {
        const { pipeline } = handle;
        if (pipeline !== last) pass.setPipeline(pipeline);
        last = pipeline;
        if (params.length > 0) {
          if (this.#gpu.immediates) pass.setImmediates(0, params);
          else pass.setBindGroup(1, this.#uniformGroup, [index * UNIFORM_STRIDE]);
        }
        pass.dispatchWorkgroups(...workgroups);
        index++;
      }
    }
    pass.end();
  }

  #upload(groups: readonly BoundDispatches[]): void {
    const all = groups.flatMap((group) => group.dispatches);
    const { device, pipelines } = this.#gpu;
    const bytes = Math.max(1, all.length) * UNIFORM_STRIDE;
    if (!this.#uniforms || this.#uniforms.size < bytes) {
      this.#uniforms?.destroy();
      this.#uniforms = device.createBuffer({
        label: 'params',
        size: bytes * 2,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      });
      this.#uniformGroup = device.createBindGroup({
        layout: pipelines.paramsLayout,
        entries: [{ binding: 0, resource: { buffer: this.#uniforms, size: MAX_PARAM_BYTES } }],
      });
    }
    const words = new Uint32Array(bytes / 4);
    for (const [index, { params }] of all.entries()) words.set(params, (index * UNIFORM_STRIDE) / 4);
    device.queue.writeBuffer(this.#uniforms, 0, words);
  }
}
