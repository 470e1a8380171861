import type { FolderModel } from '../../src/model-ref';
import { safetensorsFile } from './memory-source';
import type { Random } from './random';

/** A small model of the Llama kind, without a tokenizer. */
export const TINY_CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 128,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};

/** A small model in a folder on this computer. */
export function tinyFolder(random: Random, change: Readonly<Record<string, unknown>> = {}): FolderModel {
  const { hidden_size: hidden, intermediate_size: inner } = TINY_CONFIG;
  const tensor = (...shape: number[]) => {
    const values = random.normals(shape.reduce((a, b) => a * b, 1));
    return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) } as const;
  };
  const tensors = Object.fromEntries(
    [0, 1].flatMap((layer) =>
      Object.entries({
        'self_attn.q_proj': tensor(64, hidden),
        'self_attn.k_proj': tensor(32, hidden),
        'self_attn.v_proj': tensor(32, hidden),
        'self_attn.o_proj': tensor(hidden, 64),
        'mlp.gate_proj': tensor(inner, hidden),
        'mlp.up_proj': tensor(inner, hidden),
        'mlp.down_proj': tensor(hidden, inner),
        input_layernorm: tensor(hidden),
        post_attention_layernorm: tensor(hidden),
      }).map(([name, value]) => [`model.layers.${layer}.${name}.weight`, value] as const),
    ),
  );
  const all = {
    ...tensors,
    'model.embed_tokens.weight': tensor(128, hidden),
    'model.norm.weight': tensor(hidden),
  };
  const files = [
    new File([JSON.stringify({ ...TINY_CONFIG, ...change })], 'config.json'),
    new File([safetensorsFile(all)], 'model.safetensors'),
  ];
  return { kind: 'folder', id: 'mine', files };
}
