import type { Gpu } from '../../src/gpu/device';
import { type GemvRowsTile, gemvRowsTile } from '../../src/kernels/gemv-rows';
import type { LinearCall } from '../../src/kernels/linear-call';
import { STAGED_UNIT } from '../../src/kernels/stage-rows';

const MAX_ROWS = 16;

type Cut = readonly [lanes: number, rowsPerThread: number, parts: number, rest?: Rest];
type Rest = Partial<Pick<GemvRowsTile, 'threads' | 'depth'>> & { readonly chunkBytes?: number };

/** In about the order of the number of threads that they make. */
const CUTS: readonly Cut[] = [
  [8, 4, 1],
  [8, 2, 1],
  [8, 2, 1, { threads: 256 }],
  [16, 4, 1],
  [16, 2, 1],
  [16, 2, 2],
  [32, 2, 1],
  [32, 2, 2],
  [32, 1, 1],
  [64, 2, 2],
];

/** Cuts of gemv_rows worth a try, by name; the first one is what the kernel chooses. None where it cannot be used. */
export function rowsTiles(gpu: Gpu, call: LinearCall): readonly (readonly [string, GemvRowsTile])[] {
  const { weight, numRows, gate } = call;
  if (weight.format !== 'w4' || numRows > MAX_ROWS) return [];
  const units = weight.cols / STAGED_UNIT.cols;
  const memory = gpu.device.limits.maxComputeWorkgroupStorageSize - 4096;
  const tiles = CUTS.map((cut) => tileOf(cut, numRows)).filter(
    ({ lanes, depth, rowsAtOnce, rowsPerThread }) =>
      lanes * depth <= units &&
      lanes * depth * rowsAtOnce * STAGED_UNIT.bytes <= memory &&
      (!gate || rowsPerThread > 1),
  );
  return [['own', gemvRowsTile(gpu, call)] as const, ...tiles.map((tile) => ['', tile] as const)].map(
    ([name, tile]) => [`staged${name && ` ${name}`}: ${words(tile)}`, tile],
  );
}

function tileOf([lanes, rowsPerThread, parts, rest = {}]: Cut, numRows: number): GemvRowsTile {
  const { threads = 128, depth = 1, chunkBytes = 20 * 1024 } = rest;
  const rowsAtOnce = Math.ceil(numRows / (numRows > 8 ? 2 * parts : parts));
  const chunkUnits = Math.floor(chunkBytes / (rowsAtOnce * STAGED_UNIT.bytes));
  return { rowsAtOnce, lanes, rowsPerThread, threads, chunkUnits, depth };
}

function words({ rowsAtOnce, lanes, rowsPerThread, threads, chunkUnits, depth }: GemvRowsTile): string {
  return `${rowsAtOnce} x ${rowsPerThread}, ${lanes} lanes, ${threads} threads, ${chunkUnits} units, depth ${depth}`;
}
