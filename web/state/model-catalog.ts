import type { ModelShape } from './model-memory';

/** A model that the picker offers by name. What it needs is computed from its shape, so offering it takes no request. */
export interface CatalogModel {
  /** `owner/name` on huggingface.co and its mirrors. */
  readonly repo: string;
  readonly name: string;
  readonly family: Family;
  readonly licence: string;
  /** Its terms have to be accepted on its page first, and an access token be given. */
  readonly isGated: boolean;
  readonly shape: ModelShape;
}

const FAMILIES = [
  'Qwen3',
  'Qwen2.5',
  'Llama',
  'InternLM',
  'SmolLM',
  'Gemma',
  'Phi',
  'Mistral',
  'GLM',
  'DeepSeek',
  'Granite',
  'OLMo',
  'EXAONE',
  'ERNIE',
] as const;
export type Family = (typeof FAMILIES)[number];

type Row = readonly [
  repo: string,
  licence: string,
  layers: number,
  hiddenSize: number,
  innerSize: number,
  heads: string,
  vocabSize: number,
  maxPositions: number,
  marks?: string,
];

/**
 * As config.json of each repository says. `heads`: query heads / KV heads x dims of a head. Marks: t = embeddings tied,
 * q = qkv biases, g = gated, 4 = stored in 4 bits (AWQ).
 */
const ROWS: Readonly<Record<Family, readonly Row[]>> = {
  Qwen3: [
    ['Qwen/Qwen3-0.6B', 'Apache 2.0', 28, 1024, 3072, '16/8x128', 151936, 40960, 't'],
    ['Qwen/Qwen3-1.7B', 'Apache 2.0', 28, 2048, 6144, '16/8x128', 151936, 40960, 't'],
    ['Qwen/Qwen3-4B', 'Apache 2.0', 36, 2560, 9728, '32/8x128', 151936, 40960, 't'],
    ['Qwen/Qwen3-4B-Instruct-2507', 'Apache 2.0', 36, 2560, 9728, '32/8x128', 151936, 262144, 't'],
    ['Qwen/Qwen3-8B', 'Apache 2.0', 36, 4096, 12288, '32/8x128', 151936, 40960],
    ['Qwen/Qwen3-8B-AWQ', 'Apache 2.0', 36, 4096, 12288, '32/8x128', 151936, 40960, '4'],
  ],
  'Qwen2.5': [
    ['Qwen/Qwen2.5-0.5B-Instruct', 'Apache 2.0', 24, 896, 4864, '14/2x64', 151936, 32768, 'tq'],
    ['Qwen/Qwen2.5-1.5B-Instruct', 'Apache 2.0', 28, 1536, 8960, '12/2x128', 151936, 32768, 'tq'],
    ['Qwen/Qwen2.5-3B-Instruct', 'Qwen Research', 36, 2048, 11008, '16/2x128', 151936, 32768, 'tq'],
    ['Qwen/Qwen2.5-7B-Instruct', 'Apache 2.0', 28, 3584, 18944, '28/4x128', 152064, 32768, 'q'],
    ['Qwen/Qwen2.5-7B-Instruct-AWQ', 'Apache 2.0', 28, 3584, 18944, '28/4x128', 152064, 32768, 'q4'],
    ['Qwen/Qwen2.5-Coder-1.5B-Instruct', 'Apache 2.0', 28, 1536, 8960, '12/2x128', 151936, 32768, 'tq'],
  ],
  Llama: [
    ['meta-llama/Llama-3.2-1B-Instruct', 'Llama 3.2', 16, 2048, 8192, '32/8x64', 128256, 131072, 'tg'],
    ['meta-llama/Llama-3.2-3B-Instruct', 'Llama 3.2', 28, 3072, 8192, '24/8x128', 128256, 131072, 'tg'],
    ['meta-llama/Llama-3.1-8B-Instruct', 'Llama 3.1', 32, 4096, 14336, '32/8x128', 128256, 131072, 'g'],
  ],
  InternLM: [
    ['internlm/internlm2_5-1_8b-chat', 'InternLM', 24, 2048, 8192, '16/8x128', 92544, 32768],
    ['internlm/internlm2_5-7b-chat', 'InternLM', 32, 4096, 14336, '32/8x128', 92544, 32768],
  ],
  SmolLM: [
    ['HuggingFaceTB/SmolLM2-135M-Instruct', 'Apache 2.0', 30, 576, 1536, '9/3x64', 49152, 8192, 't'],
    ['HuggingFaceTB/SmolLM2-360M-Instruct', 'Apache 2.0', 32, 960, 2560, '15/5x64', 49152, 8192, 't'],
    ['HuggingFaceTB/SmolLM2-1.7B-Instruct', 'Apache 2.0', 24, 2048, 8192, '32/32x64', 49152, 8192, 't'],
    ['HuggingFaceTB/SmolLM3-3B', 'Apache 2.0', 36, 2048, 11008, '16/4x128', 128256, 65536, 't'],
  ],
  Gemma: [
    ['google/gemma-3-270m-it', 'Gemma', 18, 640, 2048, '4/1x256', 262144, 32768, 'tg'],
    ['google/gemma-3-1b-it', 'Gemma', 26, 1152, 6912, '4/1x256', 262144, 32768, 'tg'],
    ['google/gemma-2-2b-it', 'Gemma', 26, 2304, 9216, '8/4x256', 256000, 8192, 'tg'],
    ['google/gemma-2-9b-it', 'Gemma', 42, 3584, 14336, '16/8x256', 256000, 8192, 'tg'],
  ],
  Phi: [
    ['microsoft/Phi-4-mini-instruct', 'MIT', 32, 3072, 8192, '24/8x128', 200064, 131072, 't'],
    ['microsoft/Phi-3.5-mini-instruct', 'MIT', 32, 3072, 8192, '32/32x96', 32064, 131072],
  ],
  Mistral: [['mistralai/Mistral-7B-Instruct-v0.3', 'Apache 2.0', 32, 4096, 14336, '32/8x128', 32768, 32768]],
  GLM: [['zai-org/GLM-4-9B-0414', 'MIT', 40, 4096, 13696, '32/2x128', 151552, 32768]],
  DeepSeek: [
    ['deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B', 'MIT', 28, 1536, 8960, '12/2x128', 151936, 131072, 'q'],
    ['deepseek-ai/DeepSeek-R1-Distill-Llama-8B', 'MIT', 32, 4096, 14336, '32/8x128', 128256, 131072],
  ],
  Granite: [
    ['ibm-granite/granite-3.3-2b-instruct', 'Apache 2.0', 40, 2048, 8192, '32/8x64', 49159, 131072, 't'],
    ['ibm-granite/granite-3.3-8b-instruct', 'Apache 2.0', 40, 4096, 12800, '32/8x128', 49159, 131072, 't'],
  ],
  OLMo: [
    ['allenai/OLMo-2-0425-1B-Instruct', 'Apache 2.0', 16, 2048, 8192, '16/16x128', 100352, 4096],
    ['allenai/OLMo-2-1124-7B-Instruct', 'Apache 2.0', 32, 4096, 11008, '32/32x128', 100352, 4096],
  ],
  EXAONE: [['LGAI-EXAONE/EXAONE-4.0-1.2B', 'EXAONE', 30, 2048, 4096, '32/8x64', 102400, 65536, 't']],
  ERNIE: [['baidu/ERNIE-4.5-0.3B-PT', 'Apache 2.0', 18, 1024, 3072, '16/2x128', 103424, 131072, 't']],
};

export const CATALOG: readonly CatalogModel[] = FAMILIES.flatMap((family) =>
  ROWS[family].map((row) => catalogModel(family, row)),
);

/** What is worth trying first, best first; the first that fits with room to spare is recommended. */
export const WORTH_TRYING = [
  'Qwen/Qwen3-8B-AWQ',
  'Qwen/Qwen3-4B-Instruct-2507',
  'Qwen/Qwen3-1.7B',
  'Qwen/Qwen3-0.6B',
  'HuggingFaceTB/SmolLM2-360M-Instruct',
  'HuggingFaceTB/SmolLM2-135M-Instruct',
] as const;

function catalogModel(family: Family, row: Row): CatalogModel {
  const [repo, licence, numLayers, hiddenSize, innerSize, heads, vocabSize, maxPositions, marks = ''] = row;
  const [, numHeads, numKvHeads, headDim] = /^(\d+)\/(\d+)x(\d+)$/.exec(heads)?.map(Number) ?? [];
  if (numHeads === undefined || numKvHeads === undefined || headDim === undefined)
    throw new Error(`catalogue: ${repo} has the heads ${heads}`);
  return {
    ...{ repo, family, licence, name: repo.split('/').at(-1) ?? repo, isGated: marks.includes('g') },
    shape: {
      ...{ numLayers, hiddenSize, innerSize, numHeads, numKvHeads, headDim, vocabSize, maxPositions },
      isTied: marks.includes('t'),
      hasQkvBias: marks.includes('q'),
      storedBits: marks.includes('4') ? 4 : 16,
    },
  };
}

/** Owners that are called otherwise on ModelScope. */
const MODELSCOPE_OWNERS: Readonly<Record<string, string>> = {
  'meta-llama': 'LLM-Research',
  google: 'LLM-Research',
  microsoft: 'LLM-Research',
  mistralai: 'LLM-Research',
  allenai: 'LLM-Research',
  internlm: 'Shanghai_AI_Laboratory',
  'zai-org': 'ZhipuAI',
  baidu: 'PaddlePaddle',
};

/** The id of a catalogue model on a hub. */
export function repoOn(hub: string, repo: string): string {
  if (hub !== 'modelscope') return repo;
  const [owner = '', name = ''] = repo.split('/');
  return `${MODELSCOPE_OWNERS[owner] ?? owner}/${name}`;
}
