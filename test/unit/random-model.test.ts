import { describe, expect, it } from 'vitest';
import type { RandomShape } from '../../src/model-ref';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { openModel } from '../../src/weights/model-source';
import { layoutSlabs } from '../../src/weights/slab-layout';
import { packedTensors, weightIdentity } from '../../src/weights/weight-identity';

/** As the model cards say, or the sizes of the tensors of the published checkpoints. */
const PARAMETERS: Readonly<Record<RandomShape, number>> = {
  'qwen2.5-0.5b': 494_032_768,
  'qwen2.5-1.5b': 1_543_714_304,
  'qwen2.5-7b': 7_615_616_512,
  'llama-3.1-8b': 8_030_261_248,
  'qwen3-0.6b': 596_049_920,
  'qwen3-1.7b': 1_720_574_976,
  'qwen3-4b': 4_022_468_096,
  'qwen3-8b': 8_190_735_360,
  'internlm2-1.8b': 1_889_110_016,
};

const shapes = Object.keys(PARAMETERS) as RandomShape[];
const modelOf = (shape: RandomShape) => ({ kind: 'random', id: `random:${shape}`, shape }) as const;

describe('random models', () => {
  it.each(shapes)('%s has the parameters of the real model', async (shape) => {
    const { source } = openModel(modelOf(shape));
    const config = parseModelConfig(await source.readText('config.json'));
    const specs = architectureOf(config.modelType).weights(config);
    const parameters = specs.reduce(
      (sum, spec) => sum + (spec.kind === 'linear' ? spec.rows : 1) * spec.cols,
      0,
    );
    expect(parameters).toBe(PARAMETERS[shape]);
  });

  it.each(shapes)('%s fits into slabs of 1 GiB', async (shape) => {
    const { source } = openModel(modelOf(shape));
    const config = parseModelConfig(await source.readText('config.json'));
    const identity = weightIdentity(modelOf(shape), {});
    const tensors = architectureOf(config.modelType)
      .weights(config)
      .flatMap((spec) => packedTensors(spec, identity, {}).map((packed) => ({ packed, group: spec.group })));
    const { imageBytes } = layoutSlabs(tensors, 2 ** 30);
    expect(imageBytes / PARAMETERS[shape]).toBeGreaterThan(0.5);
    expect(imageBytes / PARAMETERS[shape]).toBeLessThan(0.7);
  });

  it('consist of their config.json', async () => {
    const { source, isPinned } = openModel(modelOf('qwen3-0.6b'));
    const config = await source.readText('config.json');
    expect(await source.size('config.json')).toBe(config.length);
    expect(isPinned).toBe(true);
    expect(await source.tryReadText('tokenizer.json')).toBeNull();
    expect(await source.size('model.safetensors')).toBeNull();
    await expect(source.readText('generation_config.json')).rejects.toMatchObject({ code: 'not-found' });
    await expect(source.readRange('model.safetensors', 0, 1)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('of unknown shapes are refused with the known ones', () => {
    const open = () => openModel({ kind: 'random', id: 'x', shape: 'gpt-5' as RandomShape });
    expect(open).toThrowError(
      expect.objectContaining({ code: 'bad-request', remedy: expect.stringContaining('qwen3-8b') }),
    );
  });
});
