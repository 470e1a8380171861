/** GPU time of a decode step of several rows: the dispatches of its layers behind one another, some kinds left out. */

import type { Gpu } from '../../src/gpu/device';
import type { Dispatch } from '../../src/gpu/dispatch';
import {
  attentionThreads,
  decodeAttention,
  isHeadsOf,
  partialFloats,
} from '../../src/kernels/decode-attention';
import { integerProduct, partSums } from '../../src/kernels/gemm-integer';
import { type IntegerCut, integerCut, planeRows } from '../../src/kernels/integer-cut';
import { integerFloats } from '../../src/kernels/integer-rows';
import { kvLayout } from '../../src/kernels/kv-layout';
import type { LinearCall } from '../../src/kernels/linear-call';
import { isNormedNext, type PartSums, sumParts } from '../../src/kernels/part-sums';
import { SLOT, stateLayout } from '../../src/kernels/step-state';
import { type PlacedTensor, packedLinear, packedVector } from '../../src/weights/packed-tensor';
import type { PhaseKind } from './layers';

/** `copy`: attention by another program; `other`: of another layer. */
export type BatchKind = PhaseKind | 'copy' | 'other';

export interface BatchShape {
  readonly hidden: number;
  readonly inner: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly numLayers: number;
  readonly kinds: readonly BatchKind[];
  readonly numRows: number;
  /** Tokens in the cache. */
  readonly length: number;
  readonly numSplits: number;
  readonly threads?: number;
  /** Attention takes the sums of q‖k‖v, and prepares the rows of the output. */
  readonly takes?: boolean;
  readonly prepares?: boolean;
  /** Rounds on their way at most. */
  readonly depth?: number;
  /** In place of those that are chosen. */
  readonly cuts?: Readonly<Partial<Record<PhaseKind, IntegerCut>>>;
  /** All layers have the same weights, which the L2 cache holds. */
  readonly oneLayer?: boolean;
}

export interface BatchCase {
  readonly list: readonly Dispatch[];
  readonly scratchWords: number;
  readonly kvWords: number;
  readonly state: Uint32Array<ArrayBuffer>;
}

const NORM_BYTES = 64 * 1024;

/** `attentionGpu`: with edits of decode_attention. */
export function batchCase(gpu: Gpu, edited: Gpu, copy: Gpu, shape: BatchShape): BatchCase {
  const { hidden, inner, numHeads, numKvHeads, headDim, numLayers, kinds, numRows, length, numSplits } =
    shape;
  const perRow = Math.ceil(length / 32);
  const blocks = perRow * numRows;
  const layout = kvLayout({ numLayers, numKvHeads, headDim, kvBits: 8, blockTokens: 32, numBlocks: blocks });
  const state = stateLayout({
    ...{ maxSlots: numRows, maxChunkTokens: 32, maxBlocksPerSequence: perRow, vocabSize: 32 },
    ...{ contextLength: length, rotaryDim: headDim, numRopeTables: 1 },
  });
  const words = new Uint32Array(state.totalWords);
  for (let row = 0; row < numRows; row++) {
    words[state.rowsAt + row] = row;
    words[state.slotsAt + row * 16 + SLOT.position] = length - 1;
    for (let i = 0; i < perRow; i++)
      words[state.tablesAt + row * state.tableStride + i] = row * state.tableStride + i;
  }
  let floats = 0;
  const take = (count: number) => {
    const at = floats;
    floats += Math.ceil(count / 64) * 64;
    return at;
  };
  const qkvCols = (numHeads + 2 * numKvHeads) * headDim;
  const hiddenAt = take(numRows * hidden);
  const qkvAt = take(numRows * qkvCols);
  const attendedAt = take(numRows * numHeads * headDim);
  const innerAt = take(numRows * inner);
  const rowsAt = take(Math.ceil(numRows / 64) * 64 * integerFloats(inner));
  const partFloats = 2 ** 21;
  const partsAt = take(partFloats);
  const partialsAt = take(partialFloats({ numRows, numHeads, headDim, numSplits }) + 64);
  const scratch = { rowsAt, partsAt, partFloats };
  const list: Dispatch[] = [];
  let left: PartSums | null = null;
  let isPrepared = false;
  let weightAt = NORM_BYTES;
  const norm: PlacedTensor = { ...packedVector('g', hidden), slab: 0, byteOffset: 0 };
  const linear = (
    kind: PhaseKind,
    rows: number,
    cols: number,
    rest: Omit<LinearCall, 'weight' | 'numRows'>,
  ) => {
    const packed = packedLinear('w', 'w4', rows, cols);
    const call: LinearCall = { weight: { ...packed, slab: 0, byteOffset: weightAt }, numRows, ...rest };
    weightAt += packed.totalBytes;
    const finishes = kind === 'qkv' && shape.takes ? 'attention' : undefined;
    const chosen = shape.cuts?.[kind] ?? integerCut(call, partFloats, finishes);
    const depth = Math.min(shape.depth ?? 8, chosen.tile.depth);
    const cut = { ...chosen, tile: { ...chosen.tile, depth } };
    const before = isPrepared ? 'prepared' : left && isNormedNext(left, call) ? left : null;
    isPrepared = false;
    if (left && !before) list.push(sumParts(gpu, left));
    list.push(...integerProduct(gpu, call, scratch, cut, before));
    left = partSums(call, scratch, cut);
  };
  const normed = { norm: { weight: norm, eps: 1e-5 } };
  for (let layer = 0; layer < numLayers; layer++) {
    if (shape.oneLayer) weightAt = NORM_BYTES;
    for (const kind of kinds) {
      if (kind === 'qkv')
        linear(kind, qkvCols, hidden, { inAt: hiddenAt, inStride: hidden, outAt: qkvAt, ...normed });
      else if (kind === 'o')
        linear(kind, hidden, numHeads * headDim, { inAt: attendedAt, outAt: hiddenAt, residualAt: hiddenAt });
      else if (kind === 'gateUp')
        linear(kind, 2 * inner, hidden, {
          inAt: hiddenAt,
          inStride: hidden,
          outAt: innerAt,
          gate: 'silu',
          ...normed,
        });
      else if (kind === 'down')
        linear(kind, hidden, inner, { inAt: innerAt, outAt: hiddenAt, residualAt: hiddenAt });
      else {
        const call = {
          ...{ numRows, numHeads, numSplits, qkvAt, outAt: attendedAt, partialsAt, window: 0, softcap: 0 },
          rope: { table: 0, rotaryDim: headDim, interleaved: false },
          queryScale: 1,
          layerAt: ((layer + (kind === 'other' ? numLayers / 2 : 0)) % numLayers) * layout.layerWords,
        };
        const sums = shape.takes && left && isHeadsOf(call, left) ? left : null;
        if (left && !sums) list.push(sumParts(gpu, left));
        left = null;
        const o = { ...packedLinear('w', 'w4', hidden, numHeads * headDim), slab: 0, byteOffset: 0 };
        const { tile } = integerCut({ weight: o, numRows, inAt: 0, outAt: 0, residualAt: 0 }, partFloats);
        isPrepared = shape.prepares === true;
        const prepares = isPrepared ? { weight: o, rowsAt, planeRows: planeRows(numRows, tile) } : null;
        const attentionGpu = kind === 'copy' ? copy : edited;
        const threads = shape.threads ?? attentionThreads(gpu);
        list.push(...decodeAttention(attentionGpu, state, layout, call, { sums, prepares }, threads));
      }
    }
  }
  if (left) list.push(sumParts(gpu, left));
  return { list, scratchWords: floats, kvWords: numLayers * layout.layerWords, state: words };
}
