import { TabmindError } from '../errors';
import { readPieces } from '../gpu/buffer';
import type { Gpu } from '../gpu/device';
import { checkAttention, recordAttention } from './self-test-attention';
import { checkLinears, recordLinears } from './self-test-linear';
import {
  type Comparison,
  SelfTestMemory,
  type SelfTestPlaces,
  type SelfTestRequest,
} from './self-test-memory';
import { checkParts, recordParts } from './self-test-parts';

/**
 * Lets a few fixed tokens run through the kernels of a step and compares with the CPU: embedding and the fused linear of
 * layer 0 (with one row, and with several by every kernel that steps use for them) on the model's own weights; the down
 * projection, where its K is cut into parts; rope, cache and both attentions on made-up numbers. The programs are those that
 * the model uses, so next to nothing is compiled for it. Throws `wrong-arithmetic`.
 */
export async function selfTest(request: SelfTestRequest): Promise<void> {
  const { memory, linears, parts, attention, runs } = recordSelfTest(request);
  const pieces = linears.pieces(request.slabs);
  const numWords = pieces.length;
  const [words, results] = await Promise.all([
    (request.readWeights ?? readPieces)(request.gpu.device, [
      ...pieces,
      ...(parts?.pieces(request.slabs) ?? []),
    ]),
    memory.run(request, runs),
  ]);
  for (const [what, comparisons] of [
    ...checkLinears(request, linears, words.slice(0, numWords), results),
    ...(parts ? checkParts(request, parts, words.slice(numWords), results) : []),
    ...checkAttention(request, memory, attention, results),
  ])
    compare(request.gpu, what, comparisons);
}

/** All that it runs; the programs begin to compile. */
export function recordSelfTest(places: SelfTestPlaces) {
  const memory = new SelfTestMemory(places);
  const linears = recordLinears(places, memory);
  const parts = recordParts(places, memory);
  const attention = recordAttention(places, memory);
  const runs = [...linears.runs, ...(parts?.runs ?? []), ...attention.runs];
  return { memory, linears, parts, attention, runs };
}

function compare(gpu: Gpu, what: string, comparisons: readonly Comparison[]): void {
  // written so that NaN is a failure
  const wrong = comparisons.find(({ actual, expected, limit }) => !(Math.abs(actual - expected) <= limit));
  if (!wrong) return;
  const { actual, expected } = wrong;
  throw new TabmindError(
    'wrong-arithmetic',
    `The graphics card computes ${what} wrongly: ${actual.toPrecision(6)} instead of ${expected.toPrecision(6)}.`,
    {
      meaning: 'Answers would be nonsense, so the model was not started. Most often the driver is at fault.',
      remedy:
        gpu.math === 'f16'
          ? "Load the model with f32 arithmetic (math: 'f32'); update the graphics driver and the browser."
          : 'Update the graphics driver and the browser, or use another graphics card.',
      details: { what, actual, expected },
    },
  );
}
