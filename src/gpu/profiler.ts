import { TabmindError } from '../errors';
import { readBuffer } from './buffer';
import type { Gpu } from './device';
import { type BoundDispatches, Recorder } from './dispatch';

/** GPU time of one kernel launch. Chrome rounds timestamps to 100 µs unless its developer features are on. */
export interface DispatchTime {
  readonly kernel: string;
  readonly microseconds: number;
}

/**
 * Runs dispatches one pass each, with a timestamp before and after. The times hold no launch overlap, so their sum is
 * more than the same dispatches take in one pass. Throws `device-limits` without timestamp-query.
 */
export async function profileDispatches(
  gpu: Gpu,
  groups: readonly BoundDispatches[],
): Promise<DispatchTime[]> {
  const { device } = gpu;
  if (!device.features.has('timestamp-query'))
    throw new TabmindError(
      'device-limits',
      'This adapter offers no timestamp-query, so kernels cannot be timed.',
    );
  const single = groups.flatMap(({ bindGroup, dispatches }) =>
    dispatches.map((dispatch) => ({ bindGroup, dispatches: [dispatch] })),
  );
  const count = single.length * 2;
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const resolved = device.createBuffer({
    size: count * 8,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const recorder = new Recorder(gpu);
  for (const [i, group] of single.entries()) {
    const encoder = device.createCommandEncoder();
    recorder.record(encoder, [group], {
      querySet,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    });
    device.queue.submit([encoder.finish()]);
  }
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  device.queue.submit([encoder.finish()]);
  const stamps = new BigUint64Array(await readBuffer(device, resolved));
  querySet.destroy();
  resolved.destroy();
  return single.map(({ dispatches }, i) => ({
    kernel: dispatches[0]?.pipeline.label.split(' ')[0] ?? '',
    microseconds: Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n)) / 1000,
  }));
}
