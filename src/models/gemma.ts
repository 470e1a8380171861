import type { Architecture } from './architecture';
import { type ModelConfig, readBiases } from './config';
import { type JsonObject, readFlag, unsupported } from './config-fields';
import { type CheckpointNames, decoderWeights, LLAMA_NAMES } from './decoder-weights';
import { llama } from './llama';

/** Gemma (Gemma team 2024): Llama with scaled embeddings, norm weights around 1 and a GELU gate. */
export const gemma: Architecture = {
  ...llama,
  modelType: 'gemma',
  className: 'GemmaForCausalLM',
  defaults: {
    maxPositions: 8192,
    headDim: 256,
    activation: 'gelu_tanh',
    tieEmbeddings: true,
  },
  readConfig: readGemma,
  weights: (config) => decoderWeights(config, GEMMA_NAMES),
};

/** Norm weights are stored less 1. */
export const GEMMA_NAMES: CheckpointNames = { ...LLAMA_NAMES, normOffset: 1 };

/** What all Gemmas share. */
export function readGemma(raw: JsonObject, { hiddenSize }: ModelConfig): Partial<ModelConfig> {
  const key = 'use_bidirectional_attention';
  if (readFlag(raw, key, false)) throw unsupported(key, true, ['causal attention only']);
  const { qkvBias, outputBias } = readBiases(raw);
  return { qkvBias, outputBias, embeddingScale: Math.sqrt(hiddenSize) };
}
