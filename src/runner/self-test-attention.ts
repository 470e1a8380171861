import { decodeAttention } from '../kernels/decode-attention';
import type { KvSide } from '../kernels/kv-layout';
import { prefillAttention } from '../kernels/prefill-attention';
import { ropeAppend } from '../kernels/rope-append';
import type { Comparison, Results, SelfTestMemory, SelfTestPlaces, SlabDispatches } from './self-test-memory';
import { BLOCK_TABLE, PREFILL_TOKENS } from './self-test-memory';
import { attend, cachedToken, fixedNoise, rotate } from './self-test-twin';

/** Queries are larger than keys, so that some tokens stand out in the softmax. */
const QUERY_SIZE = 4;
/** What rounding may cost; outputs are means of numbers in [−1, 1]. */
const TOLERANCE = { f32: 1e-3, f16: 2e-2 } as const;

export interface AttentionRun {
  readonly runs: readonly SlabDispatches[];
  /** q ‖ k ‖ v before the rope, [PREFILL_TOKENS + 1][stride]. */
  readonly qkv: Float32Array;
  readonly stride: number;
  readonly outAt: number;
}

/** A chunk of made-up queries, keys and values, then one decode row behind it. */
export function recordAttention(request: SelfTestPlaces, memory: SelfTestMemory): AttentionRun {
  const { gpu, config } = request;
  const { numHeads, numKvHeads, headDim } = config;
  const stride = (numHeads + 2 * numKvHeads) * headDim;
  const qkv = fixedNoise((PREFILL_TOKENS + 1) * stride);
  for (let row = 0; row <= PREFILL_TOKENS; row++)
    for (let i = 0; i < numHeads * headDim; i++)
      qkv[row * stride + i] = QUERY_SIZE * (qkv[row * stride + i] ?? 0);
  addKeyBias(memory, config, qkv, stride);
  const qkvAt = memory.region(qkv.length, qkv);
  const outAt = memory.region((PREFILL_TOKENS + 1) * numHeads * headDim);
  const [rope] = config.ropes;
  const termsStride = memory.keyBias?.tables.rowFloats ?? 0;
  const termsAt = memory.region(PREFILL_TOKENS * termsStride);
  const keyBias = memory.keyBias?.tables.call(0, memory.state, { at: termsAt, stride: termsStride }) ?? null;
  const head = {
    rope: rope ? { table: 0, rotaryDim: rope.rotaryDim, interleaved: config.interleavedRope } : null,
    queryScale: config.attentionScale,
  };
  const call = (row: number, numRows: number) => ({
    numRows,
    numHeads,
    layerAt: 0,
    outAt: outAt + row * numHeads * headDim,
    window: config.layerWindows[0] ?? 0,
    softcap: config.attentionSoftcap,
    qkvAt: qkvAt + row * stride,
  });
  const chunk = call(0, PREFILL_TOKENS);
  const dispatches = [
    ropeAppend(gpu, memory.state, memory.kv, { ...chunk, ...head, keyBias }),
    ...prefillAttention(gpu, memory.state, memory.kv, {
      ...chunk,
      qAt: qkvAt,
      qStride: stride,
      keyBias: keyBias && rope ? { ...keyBias, rope: { table: 0, rotaryDim: rope.rotaryDim } } : null,
      numSplits: 1,
      partialsAt: 0,
      parts: [{ numRows: PREFILL_TOKENS, startPosition: 0 }],
    }),
    ...decodeAttention(gpu, memory.state, memory.kv, {
      ...call(PREFILL_TOKENS, 1),
      ...head,
      keyBias,
      numSplits: 1,
      partialsAt: 0,
    }),
  ];
  return { runs: [{ slab: 0, dispatches }], qkv, stride, outAt };
}

/** What was appended against the made-up numbers; then attention over what the cache really holds. */
export function* checkAttention(
  request: SelfTestPlaces,
  memory: SelfTestMemory,
  run: AttentionRun,
  { scratch, kv }: Results,
): Generator<readonly [string, readonly Comparison[]]> {
  const { config, gpu } = request;
  const { numHeads, numKvHeads, headDim } = config;
  const window = config.layerWindows[0] ?? 0;
  const cached = (side: KvSide, head: number, position: number) =>
    cachedToken(memory.kv, kv, BLOCK_TABLE, side, head, position);
  // the first and the last head: where strides are wrong, one of them is
  for (const kvHead of new Set([0, numKvHeads - 1])) {
    const tokens = Array.from({ length: PREFILL_TOKENS + 1 }, (_, position) => position);
    const [keys, values] = (['k', 'v'] as const).map((side) => tokens.map((t) => cached(side, kvHead, t)));
    if (!keys || !values) continue;
    const bias = memory.keyBias?.layer.values.subarray(kvHead * headDim, (kvHead + 1) * headDim);
    const whole = keys.map((key, t) => {
      const added = bias && rotated(memory, config, bias, t);
      return added ? key.map((value, d) => value + (added[d] ?? 0)) : key;
    });
    yield [
      'the key-value cache',
      tokens.flatMap((t) => checkAppend(memory, run, config, kvHead, t, keys, values)),
    ];
    const head = kvHead === 0 ? 0 : numHeads - 1;
    for (const position of [0, PREFILL_TOKENS - 1, PREFILL_TOKENS]) {
      const first = window === 0 ? 0 : Math.max(0, position + 1 - window);
      const raw = headOf(run, position, head, headDim);
      const q = rotated(memory, config, raw, position).map((value) => value * config.attentionScale);
      const seen = [whole, values].map((rows) => rows.slice(first, position + 1));
      const expected = attend(q, seen[0] ?? [], seen[1] ?? [], config.attentionSoftcap);
      const at = run.outAt + (position * numHeads + head) * headDim;
      const limit = TOLERANCE[gpu.math];
      yield [
        position < PREFILL_TOKENS ? 'attention (prefill)' : 'attention (decode)',
        Array.from(expected, (value, d) => ({
          actual: scratch[at + d] ?? Number.NaN,
          expected: value,
          limit,
        })),
      ];
    }
  }
}

function checkAppend(
  memory: SelfTestMemory,
  run: AttentionRun,
  config: SelfTestPlaces['config'],
  kvHead: number,
  position: number,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
): readonly Comparison[] {
  const { numHeads, numKvHeads, headDim } = config;
  const bias = memory.keyBias?.layer.values.subarray(kvHead * headDim);
  const raw = headOf(run, position, numHeads + kvHead, headDim).map((value, d) => value - (bias?.[d] ?? 0));
  const key = rotated(memory, config, raw, position);
  const value = headOf(run, position, numHeads + numKvHeads + kvHead, headDim);
  return [
    ...stored(memory, key, keys[position]),
    ...stored(memory, Float64Array.from(value), values[position]),
  ];
}

/** Half a level of the quantisation; on top what halves cost, of scale and offset or of the values. */
function stored(
  memory: SelfTestMemory,
  expected: Float64Array,
  found: Float64Array | undefined,
): readonly Comparison[] {
  const { kvBits } = memory.kv;
  const [low, high] = [Math.min(...expected), Math.max(...expected)];
  const level = kvBits < 16 ? (high - low) / (2 ** kvBits - 1) : 0;
  const halves = kvBits === 32 ? 0 : 2 ** -9;
  const limit = 0.51 * level + Math.max(-low, high) * (halves + 1e-5);
  return Array.from(expected, (value, d) => ({ actual: found?.[d] ?? Number.NaN, expected: value, limit }));
}

function headOf(run: AttentionRun, position: number, head: number, headDim: number): Float32Array {
  const at = position * run.stride + head * headDim;
  return run.qkv.subarray(at, at + headDim);
}

/** Made-up keys get the bias that real ones come with. */
function addKeyBias(
  { keyBias }: SelfTestMemory,
  { numHeads, headDim }: SelfTestPlaces['config'],
  qkv: Float32Array,
  stride: number,
): void {
  for (let at = numHeads * headDim; keyBias && at < qkv.length; at += stride)
    for (const [d, value] of keyBias.layer.values.entries()) qkv[at + d] = (qkv[at + d] ?? 0) + value;
}

function rotated(
  memory: SelfTestMemory,
  { interleavedRope }: SelfTestPlaces['config'],
  head: Float32Array,
  position: number,
): Float64Array {
  if (!memory.angles) return Float64Array.from(head);
  const width = memory.angles.length / (PREFILL_TOKENS + 1);
  return rotate(head, memory.angles.subarray(position * width, (position + 1) * width), interleavedRope);
}
