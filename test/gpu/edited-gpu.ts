import type { Gpu } from '../../src/gpu/device';
import { PipelineCache, type ShaderProgram } from '../../src/gpu/pipeline';

type Edits = readonly (readonly [string, string])[];

/**
 * The same GPU with one kernel edited, imports and all: [text, what takes its place] each. Asking for that kernel throws when
 * a text is not there.
 */
export function withEdits(gpu: Gpu, kernel: string, edits: Edits): Gpu {
  const { pipelines } = gpu;
  const own = new PipelineCache(editing(gpu.device, kernel, edits), gpu.immediates);
  const of = ({ name }: ShaderProgram) => (name === kernel ? own : pipelines);
  const changed: Partial<PipelineCache> = {
    request: (program, defines) => of(program).request(program, defines),
    requestOnce: (program, key, defines) => of(program).requestOnce(program, key, defines),
    ready: async () => void (await Promise.all([pipelines.ready(), own.ready()])),
  };
  return { ...gpu, pipelines: overlaid(pipelines, changed) };
}

function editing(device: GPUDevice, kernel: string, edits: Edits): GPUDevice {
  return overlaid(device, {
    createShaderModule: (descriptor) => {
      let { code } = descriptor;
      for (const [from, to] of edits) {
        if (!code.includes(from)) throw new Error(`${kernel} has no "${from}"`);
        code = code.replaceAll(from, to);
      }
      return device.createShaderModule({ ...descriptor, code });
    },
  });
}

function overlaid<T extends object>(below: T, above: Partial<T>): T {
  return new Proxy(below, {
    get: (target, key) => {
      const value: unknown = Reflect.get(key in above ? above : target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
