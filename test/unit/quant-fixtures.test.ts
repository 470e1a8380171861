import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { architectureOf, parseModelConfig } from '../../src/models/registry';
import { readModelTexts } from '../../src/weights/model-texts';
import { orderName } from '../../src/weights/packed-tensor';
import { weightIdentity } from '../../src/weights/weight-identity';
import { fillWeights } from '../../src/weights/weight-loader';
import { FolderSource, fixtureFolders, fixturePath } from '../reference/folder-source';
import { roundToHalf } from '../reference/half';
import { packedElement } from '../reference/packed';
import { type QuantRules, quantMatrix, type RawTensor } from '../reference/quant-matrix';
import { CpuDevice } from '../reference/slab-memory';

function readTensors(folder: string): Map<string, RawTensor> {
  const tensors = new Map<string, RawTensor>();
  for (const file of readdirSync(fixturePath(folder)).filter((name) => name.endsWith('.safetensors'))) {
    const bytes = readFileSync(`${fixturePath(folder)}/${file}`);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    for (const [name, entry] of Object.entries(JSON.parse(bytes.subarray(8, start).toString()))) {
      if (name === '__metadata__') continue;
      const {
        dtype,
        shape,
        data_offsets: at,
      } = entry as {
        dtype: string;
        shape: number[];
        data_offsets: [number, number];
      };
      tensors.set(name, {
        dtype,
        shape,
        bytes: new Uint8Array(bytes.subarray(start + at[0], start + at[1])),
      });
    }
  }
  return tensors;
}

function rulesOf(config: string): QuantRules {
  const settings = JSON.parse(config).quantization_config;
  const weights = settings.config_groups?.group_0.weights;
  return {
    symmetric: settings.sym ?? false,
    v1: settings.checkpoint_format !== 'gptq_v2',
    groupSize: settings.group_size ?? weights?.group_size ?? 0,
  };
}

async function load(folder: string, maxBlockBytes: number) {
  const source = new FolderSource(folder);
  const identity = weightIdentity({ id: folder, url: '' }, { weightBits: 16 });
  const texts = await readModelTexts(source, null, identity);
  const config = parseModelConfig(texts.config, texts.generationConfig);
  const specs = architectureOf(config.modelType).weights(config);
  const filled = await fillWeights(
    { source, texts, specs, identity, store: null, maxBlockBytes },
    new CpuDevice(),
  );
  return { ...filled, specs, config: texts.config };
}

describe.each(fixtureFolders('quant'))('%s', (name) => {
  // small blocks: every tensor comes in several
  it.each([3000])(
    'becomes packed weights of the same value, in blocks of %i bytes',
    async (maxBlockBytes) => {
      const { layout, memory, specs, warnings, config } = await load(`quant/${name}`, maxBlockBytes);
      const tensors = readTensors(`quant/${name}`);
      const rules = rulesOf(config);
      const words = (at: number) => new Uint32Array(memory.image.buffer, at);
      let numQuantised = 0;
      for (const spec of specs) {
        if (spec.kind === 'vector') continue;
        const tensor = layout.tensors.find((one) => one.name === spec.name);
        const order = layout.tensors.find((one) => one.name === orderName(spec.name));
        if (!tensor) throw new Error(`no ${spec.name}`);
        let destRow = 0;
        for (const { module, rowStart = 0, rowCount } of spec.parts) {
          const matrix = quantMatrix((leaf) => tensors.get(`${module}.${leaf}`), rules);
          if (!matrix) {
            destRow += rowCount ?? tensors.get(`${module}.weight`)?.shape[0] ?? 0;
            continue;
          }
          numQuantised++;
          expect(matrix.cols).toBe(spec.cols);
          const round = tensor.format === 'w16' ? roundToHalf : (value: number) => value;
          for (let n = 0; n < (rowCount ?? matrix.rows); n++)
            for (let j = 0; j < spec.cols; j++) {
              const k = order ? (words(order.imageOffset)[j] ?? -1) : j;
              const actual = packedElement(tensor, words(tensor.imageOffset), destRow + n, j);
              const expected = round(matrix.at(rowStart + n, k));
              if (actual !== expected && !(actual === 0 && expected === 0))
                throw new Error(`${spec.name} [${destRow + n}, ${k}]: ${actual}, not ${expected}`);
            }
          destRow += rowCount ?? matrix.rows;
        }
      }
      expect(numQuantised).toBeGreaterThan(7);
      const formats = layout.tensors.filter(({ name: tensor }) => /\.(qkv|o|gate_up|down)$/.test(tensor));
      const expectedHalves = name === 'llama-awq-gemm-g32-skip' ? ['layers.0.down', 'layers.1.qkv'] : [];
      expect(formats.filter(({ format }) => format === 'w16').map((one) => one.name)).toEqual(expectedHalves);
      expect(layout.tensors.some(({ format }) => format === 'u32')).toBe(/desc-act|actorder/.test(name));
      expect(warnings).toEqual(name.includes('v1-asym-g64') ? expect.any(Array) : []);
    },
  );
});
