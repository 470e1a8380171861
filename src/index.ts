/** The front door: the only file of the runtime that a page imports. */

export {
  type ChatOptions,
  createEngine,
  type Engine,
  type GenerateOptions,
  type LoadSettings,
} from './client';
export { type ErrorCode, TabmindError } from './errors';
export type {
  CachedModel,
  ChatChunk,
  ChatMessage,
  ChatRequest,
  EngineStats,
  FinishReason,
  Fit,
  FolderFile,
  FolderModel,
  GenerateRequest,
  GenerateResult,
  GpuInfo,
  HubModel,
  HubPreset,
  Inspection,
  KernelTime,
  KvBits,
  LoadOptions,
  LoadPhase,
  LoadProgress,
  ModelInfo,
  ModelRef,
  RandomModel,
  RandomShape,
  ScoreRequest,
  ScoreResult,
  Timings,
  UrlModel,
  Usage,
  WeightBits,
} from './protocol';
export { repositoryAt, repositoryOf } from './weights/hosts';
