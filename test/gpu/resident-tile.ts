import type { Gpu } from '../../src/gpu/device';
import type { ResidentTile } from '../../src/kernels/decode-layers';

/** One workgroup where there is a processor for one only; elsewhere some, which every card runs at once. */
export function residentTestTile({ isSoftware }: Pick<Gpu, 'isSoftware'>): ResidentTile {
  return isSoftware ? { workgroups: 1, threads: 64, depth: 2 } : { workgroups: 12, threads: 512, depth: 2 };
}
