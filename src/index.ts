/** The front door: the only file of the runtime that a page imports. */

export { type ChatOptions, createEngine, type Engine, type LoadSettings } from './client';
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
  KvBits,
  LoadOptions,
  LoadPhase,
  LoadProgress,
  ModelInfo,
  ModelRef,
  ScoreRequest,
  ScoreResult,
  Timings,
  UrlModel,
  Usage,
  WeightBits,
} from './protocol';
export { repositoryAt, repositoryOf } from './weights/hosts';
