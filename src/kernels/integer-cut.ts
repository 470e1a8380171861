import { integerGroups } from './integer-rows';
import type { LinearCall } from './linear-call';
import { partStride } from './part-sums';

/** How gemm_integer is cut: a tile for each workgroup, and the parts of K. */
export interface IntegerCut {
  readonly tile: IntegerTile;
  readonly parts: number;
}

/** Matrices of 16 × 16: tm × tn of a subgroup, of warpsM × warpsN × warpsK subgroups; the last share K. */
export interface IntegerTile {
  /** A matrix holds the higher and the lower bytes of eight rows. */
  readonly few: boolean;
  readonly tm: number;
  readonly tn: number;
  /** M, N, K */
  readonly warps: readonly [number, number, number];
  /** Rounds, each a group of K for every warpsK, whose x and W are on their way at best. */
  readonly depth: number;
  readonly cost: TileCost;
}

/** Of a round, on an H100. */
interface TileCost {
  /** Workgroups that a processor has room for. */
  readonly atOnce: number;
  /** Microseconds of one that is alone on its processor. */
  readonly first: number;
  /** What each more takes. */
  readonly next: number;
}

type Costs = readonly [atOnce: number, first: number, next: number];

function tile(
  [tm, tn]: readonly [number, number],
  warps: IntegerTile['warps'],
  depth: number,
  [atOnce, first, next]: Costs,
): IntegerTile {
  return { few: false, tm, tn, warps, depth, cost: { atOnce, first, next } };
}

/** Of at most eight rows. */
function fewTile(warpsN: number, warpsK: number, depth: number, costs: Costs): IntegerTile {
  return { ...tile([1, 1], [1, warpsN, warpsK], depth, costs), few: true };
}

/** By rows and columns, and the subgroups that share K. What they take: test/bench/NOTES.md, 36. */
export const INTEGER_TILES = {
  '64x128': tile([2, 2], [2, 4, 1], 2, [1, 1.65, 0]),
  '32x96': tile([2, 1], [1, 6, 1], 1, [2, 1.26, 0.47]),
  '32x80': tile([2, 1], [1, 5, 1], 1, [2, 1.24, 0.42]),
  '32x64': tile([1, 2], [2, 2, 1], 2, [2, 0.98, 0.35]),
  '32x32': tile([1, 1], [2, 2, 1], 2, [3, 0.81, 0.2]),
  '16x64': tile([1, 1], [1, 4, 1], 2, [3, 0.72, 0.28]),
  '16x48': tile([1, 1], [1, 3, 1], 2, [4, 0.86, 0.16]),
  '16x32': tile([1, 1], [1, 2, 1], 4, [4, 0.59, 0.13]),
  '16x32 / 2': tile([1, 1], [1, 2, 2], 4, [2, 0.87, 0.19]),
  '16x16 / 4': tile([1, 1], [1, 1, 4], 2, [1, 1.3, 0]),
  '8x64': fewTile(4, 1, 2, [4, 0.7, 0.21]),
  '8x48': fewTile(3, 1, 2, [4, 0.66, 0.17]),
  '8x32': fewTile(2, 1, 4, [4, 0.47, 0.13]),
  '8x16 / 2': fewTile(1, 2, 4, [4, 0.74, 0.1]),
  '8x16 / 4': fewTile(1, 4, 4, [2, 1.09, 0.23]),
} as const satisfies Record<string, IntegerTile>;

/** Rows of the highest of them: room for activations is rounded up to that of whole tiles. */
export const MAX_TILE_ROWS = 64;

/** Rows of which one matrix holds both bytes. */
export const FEW_ROWS = 8;

const TILES = Object.values<IntegerTile>(INTEGER_TILES);
/** Processors of a large GPU. */
const PROCESSORS = 132;
/** Of K, ascending. */
const PARTS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 14];
/** Microseconds of who finishes the sums of parts: a kernel of its own, or what norms them or takes them as heads, which takes so much longer. */
const SUM_COSTS = { sums: 6, norm: 1.5, attention: 0.8 } as const;
/** Of each float of them. */
const SUM_FLOAT_COST = 1.6e-6;
/** With half of a tile's rounds on their way, a round takes so much longer. */
const SHALLOW = 1.18;

/**
 * The cut that should be done first. A chunk asks for that of every linear, each time: so next to nothing is made on the
 * way. `finishes`: who finishes sums over parts of K; what is added to the residual stream is normed next, but for models that norm
 * it before.
 */
export function integerCut(
  call: LinearCall,
  partFloats: number,
  finishes: 'sums' | 'norm' | 'attention' = call.residualAt === undefined ? 'sums' : 'norm',
): IntegerCut {
  const { weight, gate } = call;
  const groups = integerGroups(weight);
  const isFew = call.numRows <= FEW_ROWS;
  // So that else only every sixteenth row may change the kernel.
  const numRows = isFew ? FEW_ROWS : Math.ceil(call.numRows / 16) * 16;
  const floats = partStride(call) * numRows;
  const maxParts = gate ? 1 : Math.min(groups / 2, partFloats / floats);
  const sumCost = SUM_COSTS[finishes];
  let best: IntegerCut = { tile: INTEGER_TILES['64x128'], parts: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const tile of TILES) {
    if (tile.few && !isFew) break;
    const [bm, bn] = tileSize(tile);
    const tiles = Math.ceil(numRows / bm) * Math.ceil(weight.rows / bn);
    for (const parts of PARTS) {
      if (parts > 1 && parts > maxParts) break;
      const rounds = Math.ceil(groups / (parts * tile.warps[2]));
      const slower = SHALLOW ** Math.log2(tile.depth / roundsAhead(groups, { tile, parts }));
      const sums = parts > 1 ? sumCost + parts * floats * SUM_FLOAT_COST : 0;
      const cost = rounds * slower * roundCost(tile.cost, parts * tiles) + sums;
      if (cost < least) {
        least = cost;
        best = { tile, parts };
      }
    }
  }
  return best;
}

/** Rows and columns. */
export function tileSize({ few, tm, tn, warps: [warpsM, warpsN] }: IntegerTile): readonly [number, number] {
  return [few ? FEW_ROWS : tm * warpsM * 16, tn * warpsN * 16];
}

/** Rows of activations in whole tiles. */
export function planeRows(numRows: number, tile: IntegerTile): number {
  const [bm] = tileSize(tile);
  return Math.ceil(numRows / bm) * bm;
}

/** Rounds that are on their way: as many as the tile has at best, or fewer, such that they divide those of every workgroup. */
export function roundsAhead(groups: number, { tile, parts }: IntegerCut): number {
  const rounds = groups / (parts * tile.warps[2]);
  let depth = Number.isInteger(rounds) ? Math.min(tile.depth, rounds) : 1;
  while (rounds % depth !== 0 && depth > 1) depth--;
  return depth;
}

/** Microseconds of a round of so many workgroups, all rounds of those that come later included. */
function roundCost({ atOnce, first, next }: TileCost, workgroups: number): number {
  const places = PROCESSORS * atOnce;
  const full = Math.floor(workgroups / places);
  const left = Math.ceil((workgroups - full * places) / PROCESSORS);
  const together = (count: number) => first + (count - 1) * next;
  return full * together(atOnce) + (left > 0 ? together(left) : 0);
}
