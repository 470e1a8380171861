import type { Architecture } from './architecture';
import type { ModelConfig } from './config';
import { readFlag } from './config-fields';
import { type CheckpointNames, decoderWeights, type ModuleRows } from './decoder-weights';
import { llama } from './llama';

const NAMES: CheckpointNames = {
  embed: 'model.tok_embeddings',
  finalNorm: 'model.norm',
  head: 'output',
  layers: 'model.layers',
  qkv: groupedRows,
  output: 'attention.wo',
  gateUp: ['feed_forward.w1', 'feed_forward.w3'],
  down: 'feed_forward.w2',
  norms: { input_norm: 'attention_norm', mlp_norm: 'ffn_norm' },
};

/** InternLM 2 and 2.5 (Cai et al. 2024): Llama with one matrix for q, k and v, and names of its own. */
export const internlm2: Architecture = {
  ...llama,
  modelType: 'internlm2',
  className: 'InternLM2ForCausalLM',
  defaults: { maxPositions: 32768 },
  readConfig: (raw) => {
    const bias = readFlag(raw, 'bias', false);
    return { qkvBias: bias, outputBias: bias };
  },
  weights: (config) => decoderWeights(config, NAMES),
};

/** wqkv holds, for every kv head, its query heads, then its key, then its value. */
function groupedRows({ numHeads, numKvHeads, headDim }: ModelConfig): readonly ModuleRows[] {
  const queryRows = (numHeads / numKvHeads) * headDim;
  const groupRows = queryRows + 2 * headDim;
  const slices = (offset: number, rowCount: number) =>
    Array.from({ length: numKvHeads }, (_, group) => ({
      module: 'attention.wqkv',
      rowStart: group * groupRows + offset,
      rowCount,
    }));
  return [...slices(0, queryRows), ...slices(queryRows, headDim), ...slices(queryRows + headDim, headDim)];
}
