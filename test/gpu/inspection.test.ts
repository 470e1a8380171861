import { inspectModel } from '../../src/llm/inspection';
import type { FolderModel } from '../../src/model-ref';
import { safetensorsFile } from '../reference/memory-source';
import type { Random } from '../reference/random';
import { assertEqual, gpuTest } from './harness';

const CONFIG = {
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
function folder(random: Random, change: Readonly<Record<string, unknown>> = {}): FolderModel {
  const { hidden_size: hidden, intermediate_size: inner } = CONFIG;
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
    new File([JSON.stringify({ ...CONFIG, ...change })], 'config.json'),
    new File([safetensorsFile(all)], 'model.safetensors'),
  ];
  return { kind: 'folder', id: 'mine', files };
}

gpuTest('inspection: sizes of a small model, which fits', async ({ random }) => {
  const found = await inspectModel(folder(random), { cache: false, contextLength: 200 }, 0);
  const layer = 64 * (64 + 64) + 64 * 64 + 3 * 64 * 96;
  assertEqual(found.parameters, 2 * (layer + 2 * 64) + 128 * 64 + 64, 'parameters');
  assertEqual([found.architecture, found.contextLength, found.cached], ['llama', 200, false]);
  assertEqual(found.checkpointBytes > 4 * found.parameters, true, 'checkpoint with its header');
  assertEqual(found.packedBytes < found.checkpointBytes / 2, true, 'packed to 4 and 8 bits');
  assertEqual(found.fits, 'fits', found.reason);
});

gpuTest('inspection: a cache that no buffer of this device can hold is too big', async ({ random }) => {
  const model = folder(random, { max_position_embeddings: 2 ** 31 });
  const found = await inspectModel(model, { cache: false, contextLength: 2 ** 30, kvBits: 32 }, 0);
  assertEqual(found.fits, 'too-big', found.reason);
  assertEqual(found.kvBytes > 2 ** 37, true, 'the numbers are told all the same');
});

gpuTest('inspection: refuses what a load would refuse', async ({ random }) => {
  const code = await inspectModel(folder(random, { intermediate_size: 128 }), { cache: false }, 0).then(
    () => 'inspected',
    (thrown: { readonly code: string }) => thrown.code,
  );
  assertEqual(code, 'bad-checkpoint');
});
