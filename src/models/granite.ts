import type { Architecture } from './architecture';
import { readBiases } from './config';
import { readPositive } from './config-fields';
import { llama } from './llama';

/** Granite 3 dense (IBM 2024): Llama with four multipliers (maximal update parametrisation). */
export const granite: Architecture = {
  ...llama,
  modelType: 'granite',
  className: 'GraniteForCausalLM',
  readConfig: (raw) => ({
    ...readBiases(raw),
    embeddingScale: readPositive(raw, 'embedding_multiplier', 1),
    attentionScale: readPositive(raw, 'attention_multiplier', 1),
    residualScale: readPositive(raw, 'residual_multiplier', 1),
    logitsScale: 1 / readPositive(raw, 'logits_scaling', 1),
  }),
};
