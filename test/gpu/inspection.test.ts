import { inspectModel } from '../../src/llm/inspection';
import type { FolderModel } from '../../src/model-ref';
import { TINY_CONFIG, tinyFolder } from '../reference/tiny-folder';
import { assertEqual, gpuTest } from './harness';

gpuTest('inspection: sizes of a small model, which fits', async ({ random }) => {
  const found = await inspectModel(tinyFolder(random), { cache: false, contextLength: 200 }, 0);
  const layer = 64 * (64 + 64) + 64 * 64 + 3 * 64 * 96;
  assertEqual(found.parameters, 2 * (layer + 2 * 64) + 128 * 64 + 64, 'parameters');
  assertEqual([found.architecture, found.contextLength, found.cached], ['llama', 200, false]);
  assertEqual([found.maxContextLength, found.hasTokenizer], [512, false]);
  assertEqual(found.checkpointBytes > 4 * found.parameters, true, 'checkpoint with its header');
  assertEqual(found.packedBytes < found.checkpointBytes / 2, true, 'packed to 4 and 8 bits');
  assertEqual(found.fits, 'fits', found.reason);
});

gpuTest('inspection: a cache that no buffer of this device can hold is too big', async ({ random }) => {
  const model = tinyFolder(random, { max_position_embeddings: 2 ** 31 });
  const found = await inspectModel(model, { cache: false, contextLength: 2 ** 30, kvBits: 32 }, 0);
  assertEqual([found.fits, found.limit], ['too-big', 'context'], found.reason);
  assertEqual(found.kvBytes > 2 ** 37, true, 'the numbers are told all the same');
});

gpuTest('inspection: a matrix that no buffer of this device can hold is too big', async ({ random }) => {
  const model = hugeMatrix(tinyFolder(random));
  const found = await inspectModel(model, { cache: false, contextLength: 64 }, 0);
  assertEqual([found.fits, found.limit], ['too-big', 'buffer'], found.reason);
  assertEqual(found.packedBytes > 2 ** 34, true, 'the numbers are told all the same');
});

gpuTest('inspection: the pool takes a share of the memory that is left', async ({ random }) => {
  const model = tinyFolder(random);
  const sizes = [];
  for (const cacheMaxEntryCount of [0.01, 0.02])
    sizes.push((await inspectModel(model, { cache: false, cacheMaxEntryCount }, 0)).kvBytes);
  const [first = 0, second = 0] = sizes;
  assertEqual(first > 2 ** 22, true, `${first} bytes of pool`);
  assertEqual(Math.abs(second / first - 2) < 0.01, true, `${second} bytes are twice ${first}`);
});

gpuTest('inspection: refuses what a load would refuse', async ({ random }) => {
  const code = await inspectModel(tinyFolder(random, { intermediate_size: 128 }), { cache: false }, 0).then(
    () => 'inspected',
    (thrown: { readonly code: string }) => thrown.code,
  );
  assertEqual(code, 'bad-checkpoint');
});

/** The same folder, but its embedding claims 2³² numbers; its file is as long as it claims and holds nothing. */
function hugeMatrix({ files: _, ...model }: FolderModel): FolderModel {
  const [rows, cols] = [2 ** 20, 2 ** 14];
  const config = {
    ...TINY_CONFIG,
    hidden_size: cols,
    intermediate_size: 32,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    head_dim: 32,
    num_hidden_layers: 1,
    vocab_size: rows,
  };
  const layer = 'model.layers.0';
  const shapes: Readonly<Record<string, readonly number[]>> = {
    'model.embed_tokens.weight': [rows, cols],
    'model.norm.weight': [cols],
    [`${layer}.input_layernorm.weight`]: [cols],
    [`${layer}.post_attention_layernorm.weight`]: [cols],
    [`${layer}.self_attn.q_proj.weight`]: [32, cols],
    [`${layer}.self_attn.k_proj.weight`]: [32, cols],
    [`${layer}.self_attn.v_proj.weight`]: [32, cols],
    [`${layer}.self_attn.o_proj.weight`]: [cols, 32],
    [`${layer}.mlp.gate_proj.weight`]: [32, cols],
    [`${layer}.mlp.up_proj.weight`]: [32, cols],
    [`${layer}.mlp.down_proj.weight`]: [cols, 32],
  };
  let end = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const start = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [start, end] };
  }
  return { ...model, files: [new File([JSON.stringify(config)], 'config.json'), sparseFile(header, end)] };
}

/** A File with a header and any size, for readers that ask only for its beginning. */
function sparseFile(header: object, dataBytes: number): File {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  const file = new File([length, text, new Uint8Array(2 ** 17)], 'model.safetensors');
  Object.defineProperty(file, 'size', { value: 8 + text.length + dataBytes });
  return file;
}
