import { readFileSync } from 'node:fs';
import type { HubFile, HubFiles } from './hub-server';

const FOLDER = new URL('../fixtures/models/stories260k/', import.meta.url);
const NAMES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'] as const;

/** A storyteller of 260 thousand weights has no chat template, so it is given the simplest one there is. */
const TEMPLATE = '{% for message in messages %}{{ message.content }}\n{% endfor %}';

/** A complete checkpoint of about 1 MB that answers in a second. */
export function tinyCheckpoint(): HubFiles {
  const files = Object.fromEntries(NAMES.map((name) => [name, readFileSync(new URL(name, FOLDER))]));
  return { ...files, 'chat_template.jinja': TEMPLATE };
}

/** The beginning of a checkpoint whose embedding is larger than any buffer of a graphics card. */
export function hugeCheckpoint(): HubFiles {
  const [vocabSize, hiddenSize] = [262_144, 32_768];
  const config = { ...tinyConfig(), vocab_size: vocabSize, hidden_size: hiddenSize, num_hidden_layers: 1 };
  const layer = 'model.layers.0.';
  const headDim = config.head_dim;
  const shapes: Readonly<Record<string, readonly number[]>> = {
    'model.embed_tokens.weight': [vocabSize, hiddenSize],
    'model.norm.weight': [hiddenSize],
    [`${layer}input_layernorm.weight`]: [hiddenSize],
    [`${layer}post_attention_layernorm.weight`]: [hiddenSize],
    [`${layer}self_attn.q_proj.weight`]: [config.num_attention_heads * headDim, hiddenSize],
    [`${layer}self_attn.k_proj.weight`]: [config.num_key_value_heads * headDim, hiddenSize],
    [`${layer}self_attn.v_proj.weight`]: [config.num_key_value_heads * headDim, hiddenSize],
    [`${layer}self_attn.o_proj.weight`]: [hiddenSize, config.num_attention_heads * headDim],
    [`${layer}mlp.gate_proj.weight`]: [config.intermediate_size, hiddenSize],
    [`${layer}mlp.up_proj.weight`]: [config.intermediate_size, hiddenSize],
    [`${layer}mlp.down_proj.weight`]: [hiddenSize, config.intermediate_size],
  };
  return {
    ...tinyCheckpoint(),
    'config.json': JSON.stringify(config),
    'model.safetensors': weightsOf(shapes),
  };
}

interface TinyConfig {
  readonly head_dim: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly intermediate_size: number;
}

function tinyConfig(): TinyConfig {
  return JSON.parse(readFileSync(new URL('config.json', FOLDER), 'utf8'));
}

/** A safetensors file of bf16 tensors, of which only the header is there. */
function weightsOf(shapes: Readonly<Record<string, readonly number[]>>): HubFile {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const start = end;
      end += 2 * shape.reduce((product, size) => product * size, 1);
      return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  // readers of headers ask for a generous first piece
  const beginning = Buffer.concat([length, text, Buffer.alloc(2 ** 20)]);
  return { beginning, sizeBytes: 8 + text.length + end };
}
