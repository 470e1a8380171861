import exchange from '../../shaders/decode_layers/exchange.wgsl?raw';
import resident_attention from '../../shaders/decode_layers/resident_attention.wgsl?raw';
import resident_input from '../../shaders/decode_layers/resident_input.wgsl?raw';
import resident_linear from '../../shaders/decode_layers/resident_linear.wgsl?raw';
import resident_streams from '../../shaders/decode_layers/resident_streams.wgsl?raw';
import source from '../../shaders/decode_layers.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { type Defines, packParams } from '../gpu/shader';
import type { PlacedTensor } from '../weights/packed-tensor';
import type { DecodeAttentionCall } from './decode-attention';
import { attentionDefines } from './decode-attention';
import type { KvLayout } from './kv-layout';
import { type LinearCall, linearParams, numOutputs } from './linear-call';
import { ropeHeadParams } from './rope-head';
import { STEP_BINDINGS } from './step-bindings';
import { PHASE_WORDS, type StateLayout } from './step-state';

const PARAMS = {
  plan_at: 'u32',
  first: 'u32',
  end: 'u32',
  num_splits: 'u32',
  failed_at: 'u32',
  max_polls: 'u32',
} as const;

const PROGRAM: ShaderProgram = {
  name: 'decode_layers',
  source,
  params: PARAMS,
  bindings: STEP_BINDINGS,
  parts: { exchange, resident_input, resident_linear, resident_streams, resident_attention },
};

const LINEAR = 0;
const ATTENTION = 1;
const FLAGS = { normed: 1, biased: 2, gated: 4, added: 8, paired: 16 } as const;

/** Values of k in one 16-byte load of W4. */
const UNIT_COLS = 32;
/** Bytes of a unit of activations in workgroup memory. */
const STAGED_BYTES = 80;
/** Cells of attention that take the place of one. */
const CELLS_A_UNIT = 4;
/** Workgroup memory beside the activations: heads, queries, reductions, and the plan. */
const OTHER_BYTES = 9 * 1024;
/** Polls of a thread before it gives up, half a microsecond each at least. */
const MAX_POLLS = 1 << 20;

/** How the dispatch is cut. */
export interface ResidentTile {
  /** All of them must be able to run at once. */
  readonly workgroups: number;
  /** Threads of a workgroup; a power of two. */
  readonly threads: number;
  /** Units of each of its two streams that a thread has on their way. */
  readonly depth: number;
}

/** Tags of exchanged words; `plain` words are whole floats from before the dispatch, or for after it. */
const PLAIN_TAG = 4;

/**
 * Where a vector of floats lies in scratch: element i at `at` + (i mod 8) · step + ⌊i / 8⌋ · octet, carrying `tag`
 * (shaders/decode_layers/exchange.wgsl).
 */
export interface Place {
  readonly at: number;
  readonly step: number;
  readonly octet: number;
  readonly tag: number;
}

/** Whole floats, in order. */
export function plainPlace(at: number): Place {
  return { at, step: 1, octet: 8, tag: PLAIN_TAG };
}

/**
 * Number `use` of the `numUses` ≥ 2 contents that a buffer of `length` floats has in a step, laid out such that threads which
 * take eight each read neighbours at a time. No word has the tag of what it held before, the last step's last content included.
 */
export function exchangePlace(at: number, length: number, use: number, numUses: number): Place {
  return { at, step: Math.ceil(length / 8), octet: 1, tag: use === numUses - 1 ? 3 : use % 3 };
}

export interface LinearPhase {
  readonly call: LinearCall;
  readonly x: Place;
  readonly out: Place;
  /** What is added; with `call.residualAt`. */
  readonly residual: Place | null;
}

export interface AttentionPhase {
  readonly call: DecodeAttentionCall;
  readonly qkv: Place;
  readonly partials: Place;
  readonly out: Place;
}

/** Whether the kernel can take a linear: W4 in whole units, one row, nothing that layers do not have. */
export function isResidentLinear(gpu: Gpu, call: LinearCall): boolean {
  const { weight, numRows, softcap = 0 } = call;
  return (
    weight.format === 'w4' &&
    numRows === 1 &&
    softcap === 0 &&
    weight.cols % UNIT_COLS === 0 &&
    Number.isInteger(groupShift(weight)) &&
    (weight.cols / UNIT_COLS) * STAGED_BYTES + OTHER_BYTES <= gpu.device.limits.maxComputeWorkgroupStorageSize
  );
}

/** The words of a linear in the plan. */
export function linearWords(phase: LinearPhase, tile: ResidentTile): Uint32Array<ArrayBuffer> {
  const { call, x, out, residual } = phase;
  const { weight, norm, bias, gate } = call;
  const [codesAt = 0, scalesAt = 0] = linearParams(call);
  const units = weight.cols / UNIT_COLS;
  const outputs = numOutputs(call);
  const cut = linearCut(outputs, units, gate !== undefined, tile);
  const flags =
    (norm ? FLAGS.normed : 0) |
    (bias ? FLAGS.biased : 0) |
    (gate ? FLAGS.gated : 0) |
    (residual ? FLAGS.added : 0) |
    (cut.paired ? FLAGS.paired : 0);
  const words = [
    ...[LINEAR, flags, outputs, units],
    ...[cut.half, cut.lanes, cut.rounds, cut.steps],
    ...[weight.paddedCols / UNIT_COLS, weight.numGroups, groupShift(weight)],
    ...[codesAt, scalesAt, (norm?.weight.byteOffset ?? 0) / 16, (bias?.byteOffset ?? 0) / 4],
    ...floatWords(norm?.eps ?? 0, call.outScale ?? 1, call.residualScale ?? 1),
    ...[0, 0],
    ...[x, out, residual ?? x].flatMap(placeWords),
  ];
  return planWords(words);
}

/** log2 of the units that share a scale; a whole row where there is one group. */
function groupShift({ groupSize, numGroups }: PlacedTensor): number {
  return numGroups === 1 ? 31 : Math.log2(groupSize / UNIT_COLS);
}

/** What reading x for one row alone costs beside reading it for two. */
const UNSHARED = 1.3;

/** Threads an output, and what its two streams are, such that each thread has the least to do. */
function linearCut(outputs: number, units: number, gated: boolean, tile: ResidentTile) {
  const { workgroups, threads } = tile;
  const cuts = [32, 16, 8, 4].flatMap((lanes) => {
    if (lanes > threads) return [];
    const groups = (threads / lanes) * workgroups;
    const cut = (half: number, perRound: number, paired: boolean) => {
      const rounds = Math.ceil(outputs / (groups * perRound));
      const steps = Math.ceil(half / lanes);
      return { lanes, rounds, steps, half, paired, cost: rounds * steps * (paired || gated ? 1 : UNSHARED) };
    };
    if (gated) return [cut(units, 1, false)];
    return [cut(units, 2, true), cut(Math.ceil(units / 2), 1, false)];
  });
  return cuts.reduce((best, cut) => (cut.cost < best.cost ? cut : best));
}

/** The words of an attention in the plan. */
export function attentionWords(state: StateLayout, phase: AttentionPhase): Uint32Array<ArrayBuffer> {
  const { call, qkv, partials, out } = phase;
  const head = ropeHeadParams(state, call);
  return planWords([
    ...[ATTENTION, call.rope ? head.rope_at : NOWHERE, head.q_norm_at, head.k_norm_at],
    ...floatWords(head.eps, head.query_scale, head.growth_beta),
    head.growth_span,
    ...[
      call.keyBias ? head.key_bias_at : NOWHERE,
      call.layerAt,
      call.window === 0 ? 0xffffffff : call.window,
    ],
    ...floatWords(call.softcap),
    ...[call.keyBias?.numPairs ?? 0, 0, 0, 0, 0, 0, 0, 0],
    ...[qkv, partials, out].flatMap(placeWords),
  ]);
}

/** In the place of an offset: the layer has no rope, or keeps no K bias out of its cache. */
const NOWHERE = 0xffffffff;

/**
 * The attentions of one dispatch as its program is compiled for: some may have a rope or keep K bias out of their cache
 * where others do not. In all else that residentDefines gives for them they have to agree.
 */
export function alikeAttentions(calls: readonly DecodeAttentionCall[]): readonly DecodeAttentionCall[] {
  const rope = calls.find((call) => call.rope !== null)?.rope ?? null;
  const biases = calls.flatMap(({ keyBias }) => keyBias ?? []);
  const [first = null] = biases;
  const keyBias = biases.reduce(
    (most, bias) => (most && most.numPairs >= bias.numPairs ? most : bias),
    first,
  );
  return calls.map((call) => ({ ...call, rope: call.rope ?? rope, keyBias }));
}

/** What the program of an attention depends on; one dispatch takes only layers that agree in it. */
export function residentDefines(
  gpu: Gpu,
  state: StateLayout,
  layout: KvLayout,
  call: DecodeAttentionCall,
  tile: ResidentTile,
): Defines {
  return {
    ...attentionDefines(gpu, state, layout, call, tile.threads),
    STAGED_HEADS: true,
    LAYERS_DIFFER: true,
  };
}

export interface DecodeLayersCall {
  /** Of residentDefines. */
  readonly defines: Defines;
  readonly gate: 'silu' | 'gelu_tanh';
  /** Columns of the widest linear. */
  readonly maxCols: number;
  readonly maxSplits: number;
  /** Word offset of the plan in the step state, and the phases of it that run. */
  readonly planAt: number;
  readonly first: number;
  readonly end: number;
  /** Workgroups that share the tokens of one kv head. */
  readonly numSplits: number;
  /** Word of the step state that becomes 1 when workgroups waited in vain. */
  readonly failedAt: number;
  /** Polls of a thread before it gives up. */
  readonly maxPolls?: number;
}

/** Phases of a plan for one decode row. Scratch that is exchanged must have been filled with `EMPTY_WORD` at first. */
export function decodeLayers(gpu: Gpu, call: DecodeLayersCall, tile: ResidentTile): Dispatch {
  const cellUnits = (2 * tile.threads) / CELLS_A_UNIT;
  return {
    pipeline: gpu.pipelines.request(PROGRAM, {
      ...call.defines,
      GATE: call.gate === 'silu' ? 1 : 2,
      DEPTH: tile.depth,
      STAGED_UNITS: Math.max(call.maxCols / UNIT_COLS, cellUnits),
      MAX_SPLITS: call.maxSplits,
      PLAN_FOURS: PHASE_WORDS / 4,
    }),
    params: packParams(PARAMS, {
      plan_at: call.planAt,
      first: call.first,
      end: call.end,
      num_splits: call.numSplits,
      failed_at: call.failedAt,
      max_polls: call.maxPolls ?? MAX_POLLS,
    }),
    workgroups: [tile.workgroups, 1, 1],
  };
}

/** Carries the tag that no first word has. */
export const EMPTY_WORD = 0xffffffff;

function placeWords({ at, step, octet, tag }: Place): readonly number[] {
  return [at, step, octet, tag];
}

function floatWords(...values: readonly number[]): readonly number[] {
  return [...new Uint32Array(new Float32Array(values).buffer)];
}

function planWords(words: readonly number[]): Uint32Array<ArrayBuffer> {
  if (words.length !== PHASE_WORDS)
    throw new TabmindError('internal', `a phase of a plan has ${words.length} words, not ${PHASE_WORDS}`);
  return new Uint32Array(words);
}
