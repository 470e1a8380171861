import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const SHARD_BYTES = 4e9;
/** Values are cut out of this one drawn buffer at changing places: writing, not drawing, sets the pace. */
const POOL_VALUES = 16 * 2 ** 20 + 1;

/**
 * Writes a checkpoint of the Llama or Qwen2 kind in Hugging Face form: config.json, an index and shards of bf16 tensors
 * with normally distributed values as small as a fresh model's.
 *
 * @returns {number} bytes of all tensors
 */
export function writeCheckpoint(folder, configFile) {
  mkdirSync(folder, { recursive: true });
  const config = JSON.parse(readFileSync(configFile, 'utf8'));
  copyFileSync(configFile, join(folder, 'config.json'));
  const shards = shardsOf(tensorsOf(config));
  const weightMap = {};
  const pool = drawPool();
  for (const [i, shard] of shards.entries()) {
    const name = `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
    for (const tensor of shard) weightMap[tensor.name] = name;
    writeShard(join(folder, name), shard, pool);
  }
  const total = shards.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  return total;
}

function tensorsOf(config) {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab, model_type: type } = config;
  const headDim = config.head_dim ?? hidden / config.num_attention_heads;
  const [q, kv] = [config.num_attention_heads * headDim, config.num_key_value_heads * headDim];
  const tensors = [tensor('model.embed_tokens.weight', vocab, hidden)];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    tensors.push(
      tensor(`${at}.input_layernorm.weight`, hidden),
      tensor(`${at}.self_attn.q_proj.weight`, q, hidden),
      tensor(`${at}.self_attn.k_proj.weight`, kv, hidden),
      tensor(`${at}.self_attn.v_proj.weight`, kv, hidden),
      tensor(`${at}.self_attn.o_proj.weight`, hidden, q),
      tensor(`${at}.post_attention_layernorm.weight`, hidden),
      tensor(`${at}.mlp.gate_proj.weight`, inner, hidden),
      tensor(`${at}.mlp.up_proj.weight`, inner, hidden),
      tensor(`${at}.mlp.down_proj.weight`, hidden, inner),
    );
    if (type === 'qwen2')
      for (const [name, rows] of Object.entries({ q_proj: q, k_proj: kv, v_proj: kv }))
        tensors.push(tensor(`${at}.self_attn.${name}.bias`, rows));
  }
  tensors.push(tensor('model.norm.weight', hidden));
  if (!config.tie_word_embeddings) tensors.push(tensor('lm_head.weight', vocab, hidden));
  return tensors;
}

function tensor(name, ...shape) {
  return { name, shape, bytes: 2 * shape.reduce((a, b) => a * b, 1) };
}

function shardsOf(tensors) {
  const shards = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const one of tensors) {
    if (filled + one.bytes > SHARD_BYTES) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1).push(one);
    filled += one.bytes;
  }
  return shards;
}

/** Normal values of standard deviation 0.02, by Box and Muller. */
function drawPool() {
  const pool = new Uint16Array(POOL_VALUES);
  const one = new Float32Array(1);
  const bits = new Uint32Array(one.buffer);
  for (let i = 0; i < pool.length; i++) {
    one[0] = 0.02 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    pool[i] = bits[0] >>> 16;
  }
  return new Uint8Array(pool.buffer);
}

function writeShard(path, shard, pool) {
  const header = {};
  let end = 0;
  for (const { name, shape, bytes } of shard) {
    header[name] = { dtype: 'BF16', shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  try {
    writeSync(file, length);
    writeSync(file, text);
    for (const { bytes } of shard) writeTensor(file, bytes, pool);
  } finally {
    closeSync(file);
  }
}

function writeTensor(file, bytes, pool) {
  let left = bytes;
  while (left > 0) {
    const start = 2 * Math.floor((Math.random() * pool.length) / 4);
    const piece = pool.subarray(start, start + Math.min(left, pool.length - start));
    writeSync(file, piece);
    left -= piece.length;
  }
}
