import type { ScheduledStep } from './scheduled-step';
import { type Sequence, seatOf } from './sequence';

/** The step that verifies a draft of what follows a sequence, which counts as submitted from now on. */
export function draftStep(sequence: Sequence, draft: readonly number[]): ScheduledStep {
  const { slot, blockTable } = seatOf(sequence);
  const startPosition = sequence.scheduleDraft(draft.length);
  const prefill = {
    slot,
    tokenIds: Uint32Array.from([...sequence.tokenIds.slice(startPosition), ...draft]),
    startPosition,
    totalTokens: null,
    blockTable: blockTable.blockIds,
    sample: false,
    verifies: true,
  };
  return {
    batch: { copies: [], rows: [], prefills: [prefill] },
    decoding: [],
    prefilling: [sequence],
    sampled: Array<Sequence>(draft.length + 1).fill(sequence),
    admitted: [],
    draft,
  };
}
