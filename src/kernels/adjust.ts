import source from '../../shaders/adjust.wgsl?raw';
import { TabmindError } from '../errors';
import type { Gpu } from '../gpu/device';
import type { Dispatch } from '../gpu/dispatch';
import type { ShaderProgram } from '../gpu/pipeline';
import { packParams } from '../gpu/shader';
import type { SampledChunk } from './sampler';
import { STEP_BINDINGS } from './step-bindings';
import { MAX_CONTROL_WORDS, SLOT, type StateLayout, stateDefines } from './step-state';

const PARAMS = {
  logits_at: 'u32',
  out_at: 'u32',
  stride: 'u32',
  vocab_size: 'u32',
  first_row: 'u32',
} as const;

const PROGRAM: ShaderProgram = { name: 'adjust', source, params: PARAMS, bindings: STEP_BINDINGS };

/** Ids that a workgroup covers. */
const SPAN = 1024;

export interface AdjustCall {
  readonly numRows: number;
  readonly vocabSize: number;
  /** Float offsets in scratch of f32 [numRows][stride], all multiples of 4: the logits, and what is made of them. */
  readonly logitsAt: number;
  readonly outAt: number;
  readonly stride: number;
  readonly prefill: SampledChunk | null;
}

/** Penalties, biases and bans of every row's slot, applied to its logits; the logits themselves stay as they are. */
export function adjust(gpu: Gpu, state: StateLayout, call: AdjustCall): Dispatch[] {
  const { numRows, vocabSize, logitsAt, outAt, stride, prefill } = call;
  const overlap = Math.abs(logitsAt - outAt) < numRows * stride;
  if (overlap || logitsAt % 4 !== 0 || outAt % 4 !== 0 || stride % 4 !== 0 || stride < vocabSize)
    throw new TabmindError(
      'internal',
      `adjust: ${numRows} rows at ${logitsAt} to ${outAt}, stride ${stride}`,
    );
  const pipeline = gpu.pipelines.request(PROGRAM, {
    ...gpu.defines,
    ...stateDefines(state),
    PREFILL: prefill !== null,
  });
  const params = packParams(PARAMS, {
    logits_at: logitsAt,
    out_at: outAt,
    stride,
    vocab_size: vocabSize,
    first_row: prefill?.row ?? 0,
  });
  return [{ pipeline, params, workgroups: [Math.ceil(vocabSize / SPAN), numRows, 1] }];
}

/** What a slot asks of its ids beyond the penalties, which are numbers of the slot itself. */
export interface SlotControls {
  /** Added to the logits; −100 bans. */
  readonly biases: ReadonlyMap<number, number>;
  readonly endIds: readonly number[];
  /** Sequences of two or more ids that must not come about. */
  readonly phrases: readonly (readonly number[])[];
}

/** The words of a slot's controls, and those of the slot that count them. Throws `internal` when there is no room. */
export function packControls({ biases, endIds, phrases }: SlotControls): {
  readonly words: Uint32Array;
  readonly counts: Readonly<Record<number, number>>;
} {
  const numPhraseIds = phrases.reduce((sum, ids) => sum + ids.length, 0);
  const words = new Uint32Array(2 * biases.size + endIds.length + phrases.length + numPhraseIds);
  const floats = new Float32Array(words.buffer);
  if (words.length > MAX_CONTROL_WORDS)
    throw new TabmindError('internal', `${words.length} control words of ${MAX_CONTROL_WORDS}`);
  let at = 0;
  for (const [id, bias] of biases) {
    words[at++] = id;
    floats[at++] = bias;
  }
  words.set(endIds, at);
  at += endIds.length;
  let idsAt = 0;
  for (const [i, ids] of phrases.entries()) {
    words[at + i] = idsAt * 1024 + ids.length;
    words.set(ids, at + phrases.length + idsAt);
    idsAt += ids.length;
  }
  const counts = {
    [SLOT.numBiases]: biases.size,
    [SLOT.numEndIds]: endIds.length,
    [SLOT.numPhrases]: phrases.length,
  };
  return { words, counts };
}
