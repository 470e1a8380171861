import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { Defines } from '../gpu/shader';
import type { DecodeAttentionCall } from '../kernels/decode-attention';
import {
  alikeAttentions,
  attentionWords,
  exchangePlace,
  isResidentLinear,
  linearWords,
  type Place,
  plainPlace,
  type ResidentTile,
  residentDefines,
} from '../kernels/decode-layers';
import type { KvLayout } from '../kernels/kv-layout';
import { type LinearCall, numOutputs } from '../kernels/linear-call';
import { PHASE_WORDS, type StateLayout } from '../kernels/step-state';
import type { ScratchRegions } from '../layers/forward-context';
import type { ModelConfig } from '../models/config';
import { BUFFERS, type BufferName, bufferFloats, planWordsOf } from './layer-buffers';

/** Phases that share their buffers, and so a dispatch. */
export interface PhaseRun {
  readonly first: number;
  readonly end: number;
  readonly weightSlab: number;
  /** A layer whose keys and values are bound; null: none is needed. */
  readonly layer: number | null;
}

/** Dispatches that read one weight slab. */
interface SlabDispatches {
  readonly dispatches: readonly Dispatch[];
  readonly slab: number;
}

/** All layers of a decode step of one row, as decode_layers.wgsl goes through them. */
export interface LayerPlan {
  /** What comes before them: the embedding. */
  readonly before: readonly SlabDispatches[];
  readonly words: Uint32Array<ArrayBuffer>;
  readonly runs: readonly PhaseRun[];
  readonly defines: Defines;
  readonly gate: 'silu' | 'gelu_tanh';
  readonly maxCols: number;
}

/**
 * Each word changes its tag from one use to the next, and from the last one of a step to the first of the next: what a single
 * layer hands on would look the same in every step.
 */
const MIN_USES = 2;

/** A vector that phases hand on, the `use`-th content of its buffer in a step; null: whole floats in scratch. */
interface Content {
  readonly name: BufferName | null;
  readonly use: number;
  readonly at: number;
  readonly length: number;
}

type Phase =
  | { kind: 'linear'; call: LinearCall; x: Content; out: Content; residual: Content | null }
  | {
      kind: 'attention';
      call: DecodeAttentionCall;
      qkv: Content;
      partials: Content;
      out: Content;
      slab: number | null;
      layer: number;
    };

export interface LayerPhasesParts {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly state: StateLayout;
  readonly kv: KvLayout;
  readonly scratch: ScratchRegions;
  readonly tile: ResidentTile;
  slabOfLayer(layer: number): number;
}

/**
 * Collects what the layers of a decode step of one row ask for. Activations go from phase to phase through a part of scratch
 * of their own; only what the layers begin with and end with lies in `hidden`.
 */
export class LayerPhases {
  readonly #parts: LayerPhasesParts;
  readonly #before: SlabDispatches[] = [];
  readonly #phases: Phase[] = [];
  /** What the regions of scratch hold at this point, by their offsets. */
  readonly #contents = new Map<number, Content>();
  readonly #uses = new Map<BufferName, number>();
  readonly #starts = new Map<BufferName, number>();
  #refused = false;

  constructor(parts: LayerPhasesParts) {
    this.#parts = parts;
    const { scratch, config } = parts;
    let at = scratch.exchange.at;
    for (const [i, floats] of bufferFloats(config).entries()) {
      const name = BUFFERS[i];
      if (name) this.#starts.set(name, at);
      at += floats;
    }
    const { hidden } = scratch;
    this.#contents.set(hidden.at, { name: null, use: 0, at: hidden.at, length: config.hiddenSize });
  }

  /** Other dispatches than linears and attentions can only come before the layers. */
  push(dispatches: readonly Dispatch[], slab: number): void {
    if (this.#phases.length > 0) this.#refused = true;
    this.#before.push({ dispatches, slab });
  }

  linear(call: LinearCall): void {
    const x = this.#contents.get(call.inAt);
    const residual = call.residualAt === undefined ? null : this.#contents.get(call.residualAt);
    const name = this.#bufferOf(call.outAt);
    const isKnown = x !== undefined && residual !== undefined && name !== null;
    if (!isKnown || !this.#isNext(x) || !isResidentLinear(this.#parts.gpu, call)) {
      this.#refused = true;
      return;
    }
    const out = this.#write(call.outAt, name, numOutputs(call));
    this.#phases.push({ kind: 'linear', call, x, out, residual });
  }

  /** `slab`: of the weights of its norms; null without any. */
  attention(call: DecodeAttentionCall, slab: number | null, layer: number): void {
    const qkv = this.#contents.get(call.qkvAt);
    if (!qkv || !this.#isNext(qkv)) {
      this.#refused = true;
      return;
    }
    const { config, scratch } = this.#parts;
    const partials = this.#write(scratch.partials.at, 'partials', 0);
    const out = this.#write(call.outAt, 'attended', config.numHeads * config.headDim);
    this.#phases.push({ kind: 'attention', call, qkv, partials, out, slab, layer });
  }

  /** null where the kernel cannot take these layers. */
  plan(): LayerPlan | null {
    const { gpu, config, state, kv, tile } = this.#parts;
    const last = this.#phases.at(-1);
    if (this.#refused || last?.kind !== 'linear' || last.call.outAt !== this.#parts.scratch.hidden.at)
      return null;
    // The head reads whole floats.
    const { hidden } = this.#parts.scratch;
    if (last.out.name) this.#uses.set(last.out.name, last.out.use);
    const end: Phase = { ...last, out: { name: null, use: 0, at: hidden.at, length: config.hiddenSize } };
    const phases = [...this.#phases.slice(0, -1), end];
    const attentions = phases.flatMap((phase) => (phase.kind === 'attention' ? [phase.call] : []));
    const programs = alikeAttentions(attentions).map((call) => residentDefines(gpu, state, kv, call, tile));
    const [defines] = programs;
    const gates = new Set(
      phases.flatMap((phase) => (phase.kind === 'linear' ? (phase.call.gate ?? []) : [])),
    );
    const alike = new Set(programs.map((program) => JSON.stringify(program))).size === 1;
    const [gate] = gates;
    const tooFew = [...this.#uses.values()].some((uses) => uses < MIN_USES);
    if (!defines || !alike || gates.size !== 1 || !gate || tooFew) return null;
    const words = new Uint32Array(phases.length * PHASE_WORDS);
    for (const [i, phase] of phases.entries()) words.set(this.#words(phase), i * PHASE_WORDS);
    if (words.length > planWordsOf(config)) return null;
    const cols = phases.map((phase) => (phase.kind === 'linear' ? phase.call.weight.cols : 0));
    return {
      before: this.#before,
      words,
      runs: this.#runs(phases),
      defines,
      gate,
      maxCols: Math.max(...cols),
    };
  }

  #words(phase: Phase): Uint32Array<ArrayBuffer> {
    const { state, tile } = this.#parts;
    const place = (content: Content) => this.#place(content);
    if (phase.kind === 'attention')
      return attentionWords(state, {
        call: phase.call,
        qkv: place(phase.qkv),
        partials: { ...place(phase.partials), step: 1, octet: 8 },
        out: place(phase.out),
      });
    const residual = phase.residual && place(phase.residual);
    return linearWords({ call: phase.call, x: place(phase.x), out: place(phase.out), residual }, tile);
  }

  #place({ name, use, at, length }: Content): Place {
    return name === null ? plainPlace(at) : exchangePlace(at, length, use, this.#uses.get(name) ?? 0);
  }

  #write(region: number, name: BufferName, length: number): Content {
    const use = this.#uses.get(name) ?? 0;
    this.#uses.set(name, use + 1);
    const content = { name, use, at: this.#starts.get(name) ?? 0, length };
    this.#contents.set(region, content);
    return content;
  }

  #bufferOf(region: number): BufferName | null {
    const { qkv, inner, hidden } = this.#parts.scratch;
    return region === qkv.at ? 'qkv' : region === inner.at ? 'inner' : region === hidden.at ? 'hidden' : null;
  }

  /**
   * Each phase takes what the one before it gives: when that is there, all phases before have read what they read, and what
   * they have read may be written over. So the residual stream stays in one place.
   */
  #isNext(x: Content): boolean {
    const before = this.#phases.at(-1);
    return before === undefined || before.out === x;
  }

  #runs(phases: readonly Phase[]): readonly PhaseRun[] {
    const { slabOfLayer } = this.#parts;
    const runs: { first: number; end: number; weightSlab: number | null; layer: number | null }[] = [];
    for (const [i, phase] of phases.entries()) {
      const slab = phase.kind === 'linear' ? phase.call.weight.slab : phase.slab;
      const layer = phase.kind === 'attention' ? phase.layer : null;
      const run = runs.at(-1);
      const sameWeights = run && (slab === null || run.weightSlab === null || run.weightSlab === slab);
      const sameKv =
        run && (layer === null || run.layer === null || slabOfLayer(run.layer) === slabOfLayer(layer));
      if (run && sameWeights && sameKv) {
        run.end = i + 1;
        run.weightSlab ??= slab;
        run.layer ??= layer;
      } else runs.push({ first: i, end: i + 1, weightSlab: slab, layer });
    }
    return runs.map((run) => ({ ...run, weightSlab: run.weightSlab ?? 0 }));
  }
}
