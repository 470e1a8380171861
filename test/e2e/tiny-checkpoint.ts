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

/** The beginning of a checkpoint with so many heads that its context outgrows any buffer of a graphics card. */
export function hugeCheckpoint(): HubFiles {
  const [numHeads, headDim, hiddenSize] = [1024, 256, 64];
  const config = {
    ...tinyConfig(),
    max_position_embeddings: 8192,
    num_hidden_layers: 1,
    num_attention_heads: numHeads,
    num_key_value_heads: numHeads,
    head_dim: headDim,
  };
  const layer = 'model.layers.0.';
  const shapes: Readonly<Record<string, readonly number[]>> = {
    'model.embed_tokens.weight': [config.vocab_size, hiddenSize],
    'model.norm.weight': [hiddenSize],
    [`${layer}input_layernorm.weight`]: [hiddenSize],
    [`${layer}post_attention_layernorm.weight`]: [hiddenSize],
    [`${layer}self_attn.q_proj.weight`]: [numHeads * headDim, hiddenSize],
    [`${layer}self_attn.k_proj.weight`]: [numHeads * headDim, hiddenSize],
    [`${layer}self_attn.v_proj.weight`]: [numHeads * headDim, hiddenSize],
    [`${layer}self_attn.o_proj.weight`]: [hiddenSize, numHeads * headDim],
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
  readonly vocab_size: number;
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
