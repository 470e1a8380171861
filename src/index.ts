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
  CacheRead,
  Fit,
  FitLimit,
  FolderFile,
  FolderModel,
  GenerationDefaults,
  GpuRoom,
  HubModel,
  HubPreset,
  Inspection,
  KvBits,
  LoadOptions,
  LoadPhase,
  LoadProgress,
  ModelInfo,
  ModelRef,
  RandomModel,
  RandomShape,
  UrlModel,
  WeightBits,
} from './model-ref';
export type {
  ChatChunk,
  ChatMessage,
  ChatRequest,
  EngineStats,
  FinishReason,
  GenerateRequest,
  GenerateResult,
  GpuInfo,
  IdReport,
  KernelTime,
  SamplingRequest,
  SavedConversations,
  ScoreRequest,
  ScoreResult,
  Timings,
  TokenChoice,
  TokenReport,
  Usage,
} from './protocol';
export { repositoryAt, repositoryOf } from './weights/hosts';
