import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/device';
import type { Dispatch } from '../../src/gpu/dispatch';
import type { ShaderProgram } from '../../src/gpu/pipeline';
import { stateLayout } from '../../src/kernels/step-state';
import type { ForwardContext } from '../../src/layers/forward-context';
import { type Sampling, sample } from '../../src/layers/sampler';

const LOGITS_AT = 64;
const ADJUSTED_AT = 6400;

/** Names of the kernels that a step of two rows gets, and where each reads its logits. */
function kernelsFor(asks: Pick<Sampling, 'adjusts' | 'reports'>): readonly (readonly [string, number])[] {
  const names: string[] = [];
  const gpu = {
    defines: {},
    device: { limits: { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256 } },
    pipelines: { request: ({ name }: ShaderProgram) => names.push(name) },
  } as unknown as Gpu;
  const state = stateLayout({
    maxSlots: 2,
    maxChunkTokens: 8,
    maxBlocksPerSequence: 1,
    contextLength: 8,
    rotaryDim: 2,
    numRopeTables: 1,
  });
  const pushed: Dispatch[] = [];
  const context = {
    gpu,
    state,
    config: { vocabSize: 100 },
    scratch: { logits: { at: LOGITS_AT, stride: 100 }, adjusted: { at: ADJUSTED_AT, stride: 100 } },
    push: (dispatches: readonly Dispatch[]) => pushed.push(...dispatches),
  } as unknown as ForwardContext;
  sample(context, { numRows: 2, logitsRow: 0, sampledRow: 0, chunk: null, ...asks });
  // Each kernel's first scalar is the place of its logits.
  return pushed.map(({ params }, i): [string, number] => [names[i] ?? '', params[0] ?? -1]);
}

describe('sample', () => {
  it('costs one dispatch where no slot asks for more', () => {
    expect(kernelsFor({ adjusts: false, reports: false })).toEqual([['sampler', LOGITS_AT]]);
  });

  it('samples from adjusted logits, and reports from those of the model', () => {
    expect(kernelsFor({ adjusts: true, reports: true })).toEqual([
      ['adjust', LOGITS_AT],
      ['sampler', ADJUSTED_AT],
      ['logprobs', LOGITS_AT],
    ]);
    expect(kernelsFor({ adjusts: false, reports: true }).map(([name]) => name)).toEqual([
      'sampler',
      'logprobs',
    ]);
  });
});
