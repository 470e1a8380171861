import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TabmindError } from '../../src/errors';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { readModelTexts } from '../../src/weights/model-texts';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights } from '../../src/weights/weight-loader';
import { FolderSource, fixtureFolders, fixturePath } from '../reference/folder-source';
import { CpuDevice } from '../reference/slab-memory';

interface Expectation {
  readonly expect: 'error' | 'warn' | 'error-or-warn' | 'ok';
  readonly what: string;
  /** Words that the message must hold. */
  readonly mentions?: readonly string[];
}

async function load(folder: string, weightBits: 4 | 16) {
  const source = new FolderSource(`malformed/${folder}`);
  const identity = weightIdentity({ id: folder, url: '' }, { weightBits });
  const texts = await readModelTexts(source, null, identity);
  const config = parseModelConfig(texts.config, texts.generationConfig);
  const specs = architectureOf(config.modelType).weights(config);
  return fillWeights({ source, texts, specs, identity, store: null }, new CpuDevice());
}

function readExpectation(folder: string): Expectation {
  return JSON.parse(readFileSync(fixturePath(`malformed/${folder}/expect.json`), 'utf8'));
}

const about = (prefix: RegExp) =>
  fixtureFolders('malformed').filter(
    (name) => prefix.test(name) && existsSync(fixturePath(`malformed/${name}/expect.json`)),
  );

// tokenizers are not read here
const folders = about(/^(arch|config|file|index|quant|st|tensor|valid)-/);

describe.each([4, 16] as const)('malformed checkpoints at %i bits', (weightBits) => {
  it.each(folders)('%s', async (folder) => {
    const { expect: wanted, what, mentions = [] } = readExpectation(folder);
    const result = await load(folder, weightBits).catch((thrown: unknown) => thrown);
    if (wanted === 'ok' || wanted === 'warn') {
      expect(result, what).toMatchObject({ warnings: wanted === 'ok' ? [] : [expect.any(String)] });
      return;
    }
    expect(result, what).toBeInstanceOf(TabmindError);
    const { code, message, remedy } = TabmindError.from(result);
    expect(['bad-checkpoint', 'unsupported-model', 'not-found']).toContain(code);
    expect(message).toMatch(/config\.json|safetensors/);
    expect(remedy).not.toBe('');
    for (const word of mentions) expect(message).toContain(word);
  });
});

describe('messages', () => {
  it.each([
    ['tensor-nan', 'model.layers.0.self_attn.q_proj.weight'],
    ['tensor-inf', 'model.layers.0.self_attn.q_proj.weight'],
    ['tensor-missing', 'model.layers.0.self_attn.q_proj.weight'],
    ['tensor-missing-lm-head', 'lm_head.weight'],
    ['tensor-transposed', 'model.layers.0.mlp.down_proj.weight'],
    ['tensor-norm-short', 'model.norm.weight'],
    ['config-layers-too-many', 'model.layers.1'],
    ['config-vocab-mismatch', 'model.embed_tokens.weight'],
    ['st-dtype-f8', 'F8_E4M3'],
    ['st-dtype-int64-weight', 'I64'],
    ['st-duplicate-name', 'twice'],
    ['st-offsets-overlap', 'overlaps'],
    ['file-is-html', 'web page'],
    ['file-is-lfs-pointer', 'Git LFS'],
    ['file-only-pytorch-bin', 'pytorch_model.bin'],
    ['index-shard-missing', 'model-00002-of-00002.safetensors'],
    ['quant-no-config', 'qweight'],
    ['quant-bits-3', 'config.json: quantization_config.bits is 3; tabmind reads'],
    ['quant-ct-float4', 'quantization_config.format is "nvfp4-pack-quantized"; tabmind reads'],
    ['quant-method-bitsandbytes', 'quant_method is "bitsandbytes"; tabmind reads'],
    ['quant-method-exl2', 'quant_method is "exl2"; tabmind reads'],
    ['quant-method-fp8', 'quant_method is "fp8"; tabmind reads'],
    ['quant-method-mxfp4', 'quant_method is "mxfp4"; tabmind reads'],
    ['quant-g-idx-out-of-range', 'model.layers.0.self_attn.q_proj.g_idx puts a column into group'],
    ['quant-g-idx-short', 'q_proj.g_idx has the shape [40]'],
    ['quant-qweight-int64', 'q_proj.qweight is stored as I64'],
    ['quant-qzeros-shape', 'q_proj.qzeros has the shape [2, 7]'],
    ['quant-scales-missing', 'q_proj.scales is missing'],
    ['quant-scales-nan', 'q_proj.scales holds a NaN or an infinity'],
  ])('%s names %s', async (folder, name) => {
    await expect(load(folder, 4)).rejects.toThrow(name);
  });

  it('names the tensors that nobody uses', async () => {
    const { warnings } = await load('tensor-extra', 4);
    expect(warnings[0]).toContain('model.mystery.weight');
  });

  it('says that the scales overrule config.json', async () => {
    const { warnings } = await load('quant-group-size-lie', 4);
    expect(warnings).toEqual([
      expect.stringContaining('groups of 128 columns, but the scales show groups of 32'),
    ]);
  });
});
