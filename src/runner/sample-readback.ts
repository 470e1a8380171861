import type { PendingStep, TokenLogprob } from '../engine/batch';
import { TabmindError } from '../errors';
import { FAILED_WORDS, LOGPROB_WORDS, type StateLayout } from '../kernels/step-state';
import { ReadbackRing } from './readback-ring';

/** Brings sampled ids back to the host, and what is reported of them. */
export class SampleReadback {
  readonly #device: GPUDevice;
  readonly #state: GPUBuffer;
  readonly #layout: StateLayout;
  readonly #ids: ReadbackRing;
  readonly #reports: ReadbackRing;

  constructor(device: GPUDevice, state: GPUBuffer, layout: StateLayout) {
    this.#device = device;
    this.#state = state;
    this.#layout = layout;
    const maxIds = layout.maxSampledRows;
    this.#ids = new ReadbackRing(device, (FAILED_WORDS + maxIds) * 4);
    this.#reports = new ReadbackRing(device, (FAILED_WORDS + maxIds * (1 + LOGPROB_WORDS)) * 4);
  }

  /**
   * Begins the readback of a step that samples `numTops.length` ids. `numTops`: most probable ids wanted with each; null:
   * no logprobs.
   */
  begin(numTops: readonly (number | null)[]): StepReadback {
    const reports = numTops.some((numTop) => numTop !== null);
    const ring = reports ? this.#reports : this.#ids;
    const buffer = numTops.length > 0 ? ring.take() : null;
    return {
      copy: (encoder) => {
        if (buffer === null) return;
        const { failedAt, logprobsAt } = this.#layout;
        const idsEnd = (FAILED_WORDS + numTops.length) * 4;
        encoder.copyBufferToBuffer(this.#state, failedAt * 4, buffer, 0, idsEnd);
        const reportBytes = numTops.length * LOGPROB_WORDS * 4;
        if (reports) encoder.copyBufferToBuffer(this.#state, logprobsAt * 4, buffer, idsEnd, reportBytes);
      },
      read: () => {
        if (buffer === null)
          return { ids: this.#device.queue.onSubmittedWorkDone().then(() => new Uint32Array(0)) };
        const numWords = numTops.length * (reports ? 1 + LOGPROB_WORDS : 1);
        const words = ring.read(buffer, (FAILED_WORDS + numWords) * 4).then(checked);
        const ids = words.then((all) => all.subarray(0, numTops.length));
        return reports ? { ids, logprobs: words.then((all) => parseReports(all, numTops)) } : { ids };
      },
    };
  }

  destroy(): void {
    this.#ids.destroy();
    this.#reports.destroy();
  }
}

export interface StepReadback {
  /** After the pass. */
  copy(encoder: GPUCommandEncoder): void;
  /** After the submit. */
  read(): PendingStep;
}

/** The words behind the sign of failure. Throws `steps-lost` where that is set. */
function checked(words: Uint32Array): Uint32Array {
  if (words[0] === 0) return words.subarray(FAILED_WORDS);
  throw new TabmindError('steps-lost', 'The workgroups of a dispatch did not run at once.', {
    meaning: 'What was computed last means nothing and is computed again, from now on in the slower way.',
  });
}

function parseReports(
  words: Uint32Array,
  numTops: readonly (number | null)[],
): readonly (TokenLogprob | null)[] {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  return numTops.map((numTop, row) => {
    if (numTop === null) return null;
    const at = numTops.length + row * LOGPROB_WORDS;
    const top = Array.from({ length: numTop }, (_, i) => ({
      id: words[at + 1 + 2 * i] ?? 0,
      logprob: floats[at + 2 + 2 * i] ?? Number.NaN,
    }));
    return { logprob: floats[at] ?? Number.NaN, top };
  });
}
