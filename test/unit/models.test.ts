import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { architectureOf, parseModelConfig, supportedModelTypes } from '../../src/models/registry';
import type { WeightSpec } from '../../src/models/weight-spec';
import { openTensorDirectory } from '../../src/weights/tensor-directory';
import { FolderSource, fixturePath } from '../reference/folder-source';

const NAMES = readdirSync(fixturePath('models')).sort();

function configText(name: string, file = 'config.json'): string | null {
  const path = fixturePath(`models/${name}/${file}`);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function read(name: string) {
  return parseModelConfig(configText(name) ?? '');
}

describe('every model of the fixtures', () => {
  it('has an architecture, and every architecture has a model', () => {
    const types = new Set(NAMES.map((name) => read(name).modelType));
    expect([...types].sort()).toEqual([...supportedModelTypes()].sort());
  });

  it.each(
    ['config.v4.json', 'config.v5.json'].flatMap((file) =>
      NAMES.filter((name) => configText(name, file) !== null).map((name) => [name, file] as const),
    ),
  )('%s is the same in the spelling of %s', (name, file) => {
    const { raw: _, ...one } = read(name);
    const { raw: __, ...other } = parseModelConfig(configText(name, file) ?? '');
    expect(other).toEqual(one);
  });

  it.each(NAMES)('%s: the weight table takes every tensor, each row once', async (name) => {
    const config = read(name);
    const specs = architectureOf(config.modelType).weights(config);
    const directory = await openTensorDirectory(new FolderSource(`models/${name}`), config.raw);
    const taken = new Map<string, number>();
    for (const spec of specs) {
      let specRows = 0;
      for (const { module, leaf, rowStart = 0, rowCount } of spec.parts) {
        const tensor = `${module}.${leaf}`;
        const [length = 0, cols] = directory.tensors.get(tensor)?.shape ?? [];
        const rows = rowCount ?? length - rowStart;
        specRows += rows;
        taken.set(tensor, (taken.get(tensor) ?? 0) + rows);
        if (spec.kind === 'linear') expect([tensor, cols]).toEqual([tensor, spec.cols]);
      }
      expect([spec.name, specRows]).toEqual([spec.name, spec.kind === 'linear' ? spec.rows : spec.cols]);
    }
    const stored = [...directory.tensors].map(([tensor, { shape }]) => [tensor, shape[0]]);
    expect([...taken].sort()).toEqual(stored.sort());
  });
});

describe('weight tables', () => {
  const specs = (name: string) => {
    const config = read(name);
    return new Map(
      architectureOf(config.modelType)
        .weights(config)
        .map((spec) => [spec.name, spec]),
    );
  };
  const modules = (spec: WeightSpec | undefined) =>
    spec?.parts.map(({ module, leaf }) => `${module}.${leaf}`);

  it('puts the groups of wqkv in order: queries, keys, values', () => {
    // 4 heads over 2 kv heads of 32: a group is two query heads, a key, a value
    const parts = specs('internlm2').get('layers.1.qkv')?.parts;
    expect(parts?.map(({ rowStart, rowCount }) => [rowStart, rowCount])).toEqual([
      [0, 64],
      [128, 64],
      [64, 32],
      [192, 32],
      [96, 32],
      [224, 32],
    ]);
  });

  it('adds 1 to the norms of Gemma, those of the heads too', () => {
    const gemma = specs('gemma3-text');
    for (const name of ['norm', 'layers.0.input_norm', 'layers.2.mlp_post_norm', 'layers.1.q_norm'])
      expect(gemma.get(name)).toMatchObject({ kind: 'vector', offset: 1 });
    expect(specs('llama').get('norm')).not.toHaveProperty('offset');
  });

  it('takes biases where the family has them', () => {
    const biases = (name: string) =>
      [...specs(name).keys()].filter((key) => key.startsWith('layers.0.') && key.endsWith('_bias'));
    expect(biases('llama')).toEqual([]);
    expect(biases('qwen2')).toEqual(['layers.0.qkv_bias']);
    expect(biases('glm4')).toEqual(['layers.0.qkv_bias']);
    expect(biases('llama-bias')).toEqual([
      'layers.0.qkv_bias',
      'layers.0.o_bias',
      'layers.0.gate_up_bias',
      'layers.0.down_bias',
    ]);
    expect(modules(specs('qwen2').get('layers.0.qkv_bias'))).toEqual([
      'model.layers.0.self_attn.q_proj.bias',
      'model.layers.0.self_attn.k_proj.bias',
      'model.layers.0.self_attn.v_proj.bias',
    ]);
  });

  it('keeps what one dispatch reads in one group', () => {
    const tied = specs('qwen2');
    expect([tied.get('embed')?.group, tied.get('norm')?.group, tied.get('lm_head')]).toEqual([
      'head',
      'head',
      undefined,
    ]);
    const untied = specs('llama');
    expect([untied.get('embed')?.group, untied.get('norm')?.group, untied.get('lm_head')?.group]).toEqual([
      'embed',
      'head',
      'head',
    ]);
    for (const [name, { group }] of specs('olmo2'))
      if (name.startsWith('layers.')) expect(group).toBe(`layer ${name.split('.')[1]}`);
  });
});
