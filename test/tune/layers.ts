/** GPU time of the phases of decode_layers.wgsl, together and apart. */

import type { Gpu } from '../../src/gpu/device';
import type { Dispatch } from '../../src/gpu/dispatch';
import {
  attentionWords,
  decodeLayers,
  exchangePlace,
  linearWords,
  type Place,
  plainPlace,
  type ResidentTile,
  residentDefines,
} from '../../src/kernels/decode-layers';
import { kvLayout } from '../../src/kernels/kv-layout';
import type { LinearCall } from '../../src/kernels/linear-call';
import { PHASE_WORDS, SLOT, stateLayout } from '../../src/kernels/step-state';
import { type PlacedTensor, packedLinear, packedVector } from '../../src/weights/packed-tensor';

export type PhaseKind = 'qkv' | 'attention' | 'o' | 'gateUp' | 'down';

export interface LayersShape {
  readonly hidden: number;
  readonly inner: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly numLayers: number;
  readonly kinds: readonly PhaseKind[];
  /** Tokens in the cache. */
  readonly length: number;
  readonly numSplits: number;
  readonly tile: ResidentTile;
}

export interface LayersCase {
  readonly dispatch: Dispatch;
  readonly scratchWords: number;
  readonly kvWords: number;
  readonly state: Uint32Array<ArrayBuffer>;
  readonly weightBytesPerLayer: number;
}

interface Content {
  readonly at: number;
  readonly length: number;
  readonly use: number;
  readonly buffer: string | null;
}

const NORM_BYTES = 64 * 1024;
const BUFFER_FLOATS = 2 ** 16;

/** One dispatch of all layers, with the weights of as many as the buffer holds. */
export function layersCase(gpu: Gpu, shape: LayersShape, weightBytes: number): LayersCase {
  const { hidden, inner, numHeads, numKvHeads, headDim, numLayers, kinds, length, numSplits, tile } = shape;
  const blocks = Math.ceil(length / 32);
  const layout = kvLayout({ numLayers, numKvHeads, headDim, kvBits: 8, blockTokens: 32, numBlocks: blocks });
  const state = stateLayout({
    ...{ maxSlots: 1, maxChunkTokens: 32, maxBlocksPerSequence: blocks },
    ...{ contextLength: length, rotaryDim: headDim, numRopeTables: 1 },
    planWords: numLayers * 5 * PHASE_WORDS,
  });
  const sizes = {
    qkv: [(numHeads + 2 * numKvHeads) * headDim, hidden],
    o: [hidden, numHeads * headDim],
    gateUp: [2 * inner, hidden],
    down: [hidden, inner],
  } as const;
  const packed = (kind: keyof typeof sizes) => packedLinear(kind, 'w4', sizes[kind][0], sizes[kind][1]);
  const linears = kinds.flatMap((kind) => (kind === 'attention' ? [] : [kind]));
  const layerBytes = linears.reduce((sum, kind) => sum + packed(kind).totalBytes, 0);
  const held = Math.max(1, Math.floor((weightBytes - NORM_BYTES) / Math.max(1, layerBytes)));
  const uses = new Map<string, number>();
  const buffers = new Map<string, number>();
  const plain: Content = { at: 0, length: BUFFER_FLOATS, use: 0, buffer: null };
  let current = plain;
  let before = plain;
  const write = (kind: string, floats: number, layer: number): Content => {
    const buffer = `${kind} ${layer % 2}`;
    const use = uses.get(buffer) ?? 0;
    uses.set(buffer, use + 1);
    const at = buffers.get(buffer) ?? (buffers.size + 1) * BUFFER_FLOATS;
    buffers.set(buffer, at);
    return { at, length: floats, use, buffer };
  };
  const norm: PlacedTensor = { ...packedVector('g', hidden), slab: 0, byteOffset: 0 };
  const todo: (() => Uint32Array)[] = [];
  const placeOf = ({ at, length, use, buffer }: Content): Place =>
    buffer === null ? plainPlace(at) : exchangePlace(at, length, use, uses.get(buffer) ?? 0);
  const attentionCall = (layer: number) => ({
    ...{ numRows: 1, numHeads, numSplits, qkvAt: 0, outAt: 0, partialsAt: 0, window: 0, softcap: 0 },
    rope: { table: 0, rotaryDim: headDim, interleaved: false },
    queryScale: 1,
    layerAt: layer * layout.layerWords,
  });
  for (let layer = 0; layer < numLayers; layer++) {
    let at = NORM_BYTES + (layer % held) * layerBytes;
    for (const kind of kinds) {
      if (kind === 'attention') {
        const [rows] = sizes.qkv;
        const qkv = current.length >= rows ? current : plain;
        const partials = write('partials', 0, layer);
        const out = write('attended', numHeads * headDim, layer);
        current = out;
        todo.push(() =>
          attentionWords(state, {
            call: attentionCall(layer),
            qkv: placeOf(qkv),
            partials: { ...placeOf(partials), step: 1, octet: 8 },
            out: placeOf(out),
          }),
        );
        continue;
      }
      const weight: PlacedTensor = { ...packed(kind), slab: 0, byteOffset: at };
      at += weight.totalBytes;
      const x = current.length >= weight.cols ? current : plain;
      const gated = kind === 'gateUp';
      const out = write(kind, gated ? inner : weight.rows, layer);
      const isAdded = kind === 'o' || kind === 'down';
      const residual = isAdded && before.length >= hidden ? before : plain;
      if (isAdded) before = out;
      current = out;
      const call: LinearCall = {
        weight,
        numRows: 1,
        inAt: 0,
        outAt: 0,
        ...(kind === 'qkv' || gated ? { norm: { weight: norm, eps: 1e-5 } } : {}),
        ...(gated ? { gate: 'silu' } : {}),
      };
      todo.push(() =>
        linearWords(
          { call, x: placeOf(x), out: placeOf(out), residual: isAdded ? placeOf(residual) : null },
          tile,
        ),
      );
    }
  }
  const words = new Uint32Array(state.totalWords);
  words[state.slotsAt + SLOT.position] = length - 1;
  for (let i = 0; i < blocks; i++) words[state.tablesAt + i] = i;
  for (const [i, make] of todo.entries()) words.set(make(), state.planAt + i * PHASE_WORDS);
  const dispatch = decodeLayers(
    gpu,
    {
      defines: residentDefines(gpu, state, layout, attentionCall(0), tile),
      gate: 'silu',
      maxCols: Math.max(hidden, inner, numHeads * headDim),
      maxSplits: 32,
      planAt: state.planAt,
      first: 0,
      end: todo.length,
      numSplits,
      failedAt: state.failedAt,
    },
    tile,
  );
  return {
    dispatch,
    scratchWords: 32 * BUFFER_FLOATS,
    kvWords: numLayers * layout.layerWords,
    state: words,
    weightBytesPerLayer: layerBytes,
  };
}
