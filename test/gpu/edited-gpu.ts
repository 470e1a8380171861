import type { Gpu } from '../../src/gpu/device';
import { PipelineCache, type ShaderProgram } from '../../src/gpu/pipeline';
import type { Defines } from '../../src/gpu/shader';

type Edits = readonly (readonly [string, string])[];

/**
 * The same GPU with one kernel edited, imports and all: [text, what takes its place] each. Asking for that kernel throws when
 * a text is not there. `defines` take the place of its own.
 */
export function withEdits(gpu: Gpu, kernel: string, edits: Edits, defines: Defines = {}): Gpu {
  const { pipelines } = gpu;
  const own = new PipelineCache(editing(gpu.device, kernel, edits), gpu.immediates);
  const of = ({ name }: ShaderProgram) => (name === kernel ? own : pipelines);
  const changedDefines = ({ name }: ShaderProgram, given: Defines) =>
    name === kernel ? { ...given, ...defines } : given;
  const changed: Partial<PipelineCache> = {
    request: (program, given) => of(program).request(program, changedDefines(program, given)),
    requestOnce: (program, key, given) =>
      of(program).requestOnce(program, key, () => changedDefines(program, given())),
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
