import type { EngineStats } from '../protocol';

/** The numbers of an engine without a model. */
export const NOTHING_LOADED: EngineStats = {
  model: null,
  gpu: null,
  running: 0,
  waiting: 0,
  kvBlocksTotal: 0,
  kvBlocksUsed: 0,
  kvBlocksCached: 0,
  kvBlocksFree: 0,
  kvBlockTokens: 0,
  promptTokens: 0,
  prefixHitTokens: 0,
  numPreemptions: 0,
  draftTokens: 0,
  acceptedDraftTokens: 0,
  tokensPerStep: 0,
  weightBytes: 0,
  kvBytes: 0,
  stepsSubmitted: 0,
  tokensGenerated: 0,
  isTuned: true,
  dispatchesPerDecodeStep: 0,
  bindingsPerDispatch: 0,
  weightBytesPerStep: 0,
  kvBytesPerToken: 0,
};
