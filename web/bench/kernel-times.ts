import type { Engine, StepShape } from '../../src/index';
import type { KernelResult } from './report';

const ROUNDS = 5;

/** Mean GPU time of the kernels of a step at `position`, the slowest first. The first round warms up. */
export async function timeKernels(
  engine: Engine,
  position: number,
  shape: StepShape,
): Promise<readonly KernelResult[]> {
  const totals = new Map<string, { launches: number; microseconds: number }>();
  for (let round = -1; round < ROUNDS; round++)
    for (const { kernel, microseconds } of await engine.profile(position, shape)) {
      if (round < 0) continue;
      const total = totals.get(kernel) ?? { launches: 0, microseconds: 0 };
      total.launches += 1 / ROUNDS;
      total.microseconds += microseconds / ROUNDS;
      totals.set(kernel, total);
    }
  return [...totals]
    .map(([kernel, total]) => ({ kernel, ...total, launches: Math.round(total.launches) }))
    .sort((a, b) => b.microseconds - a.microseconds);
}
