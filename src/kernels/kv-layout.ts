import { TabmindError } from '../errors';
import { idOf } from '../gpu/pipeline';
import type { Defines } from '../gpu/shader';
import type { StateLayout } from './step-state';

/** 8 and 4: integer codes with a scale and an offset per token and head; 16: half; 32: float, for verification. */
export type KvBits = 32 | 16 | 8 | 4;

export interface KvShape {
  readonly numLayers: number;
  readonly numKvHeads: number;
  /** Multiple of 8. */
  readonly headDim: number;
  readonly kvBits: KvBits;
  /** Tokens in a block. */
  readonly blockTokens: 16 | 32;
  readonly numBlocks: number;
}

/**
 * Where everything lies in the paged cache; all sizes in 32-bit words unless the name says bytes. Layer-major:
 * block b of a layer starts at the layer's base + b · blockWords. Inside a block, T = blockTokens:
 *   for each kv head: K codes [T][rowWords], then V codes [T][rowWords]; element d of a token in natural bit order
 *   then, for 8 and 4 bits, for each kv head: K params [T], then V params [T], one word each:
 *   half scale in the low bits, half offset in the high bits, x̂ = code · scale + offset
 */
export interface KvLayout extends KvShape {
  readonly rowWords: number;
  /** Offset of the params inside a block. */
  readonly paramsAt: number;
  readonly blockWords: number;
  /** All blocks of one layer, rounded up to 256 bytes. */
  readonly layerWords: number;
  /** What one block costs over all layers. */
  readonly blockBytes: number;
}

/** K or V. */
export type KvSide = 'k' | 'v';

/** Throws `internal` for shapes that the kernels do not take. */
export function kvLayout(shape: KvShape): KvLayout {
  const { numLayers, numKvHeads, headDim, kvBits, blockTokens, numBlocks } = shape;
  const counts = [numLayers, numKvHeads, headDim, numBlocks];
  const whole = counts.every((count) => Number.isInteger(count) && count > 0);
  if (!whole || headDim % 8 !== 0 || ![16, 32].includes(blockTokens) || ![4, 8, 16, 32].includes(kvBits))
    throw new TabmindError('internal', `no KV layout for ${JSON.stringify(shape)}`, {
      meaning:
        'The attention cache of this model cannot be laid out: head size in steps of 8, blocks of 16 or 32 tokens.',
    });
  const rowWords = (headDim * kvBits) / 32;
  const numRows = 2 * numKvHeads * blockTokens;
  const paramsAt = numRows * rowWords;
  const blockWords = paramsAt + (kvBits < 16 ? numRows : 0);
  const layerWords = Math.ceil((numBlocks * blockWords) / 64) * 64;
  return { ...shape, rowWords, paramsAt, blockWords, layerWords, blockBytes: numLayers * blockWords * 4 };
}

/** Word offset inside a block of the codes of one token of one kv head. */
export function kvCodesAt(layout: KvLayout, side: KvSide, head: number, token: number): number {
  return ((2 * head + (side === 'v' ? 1 : 0)) * layout.blockTokens + token) * layout.rowWords;
}

/** Word offset inside a block of the (scale, offset) pair of one token of one kv head; 8 and 4 bits only. */
export function kvParamsAt(layout: KvLayout, side: KvSide, head: number, token: number): number {
  return layout.paramsAt + (2 * head + (side === 'v' ? 1 : 0)) * layout.blockTokens + token;
}

/** Words of one storage load: the widest that rows of this layout are aligned to. */
export function kvChunkWords(layout: KvLayout): 1 | 2 | 4 {
  if (layout.rowWords % 4 === 0) return 4;
  return layout.rowWords % 2 === 0 ? 2 : 1;
}

/**
 * The layout as shader constants, for shaders that import `kv`. `chunkWords` is the element size of the binding,
 * `half` asks for codes as f16 (quantised caches only: the range of the others is unknown).
 */
export function kvDefines(layout: KvLayout, chunkWords: 1 | 2 | 4, half: boolean): Defines {
  return {
    KV_HEADS: layout.numKvHeads,
    HEAD_DIM: layout.headDim,
    KV_BITS: layout.kvBits,
    BLOCK_TOKENS: layout.blockTokens,
    ROW_WORDS: layout.rowWords,
    BLOCK_WORDS: layout.blockWords,
    PARAMS_AT: layout.paramsAt,
    CHUNK_WORDS: chunkWords,
    HALF: half && layout.kvBits < 16,
  };
}

/** What stateDefines and kvDefines follow from. */
export function layoutKey(state: StateLayout, layout: KvLayout): string {
  return `${idOf(state)} ${idOf(layout)}`;
}

/** Query heads per kv head. Throws `internal` when the heads do not divide. */
export function headRatio(layout: Pick<KvLayout, 'numKvHeads'>, numHeads: number): number {
  const ratio = numHeads / layout.numKvHeads;
  if (Number.isInteger(ratio) && ratio > 0) return ratio;
  throw new TabmindError('internal', `${numHeads} query heads cannot share ${layout.numKvHeads} kv heads`);
}
