import type { Gpu } from '../../src/gpu/device';
import type { ShaderProgram } from '../../src/gpu/pipeline';
import type { Defines } from '../../src/gpu/shader';

/** The same GPU with the source of one kernel edited: [text, what takes its place] each. Throws when a text is not there. */
export function withEdits(gpu: Gpu, kernel: string, edits: readonly (readonly [string, string])[]): Gpu {
  const { pipelines } = gpu;
  const request = (program: ShaderProgram, defines: Defines) => {
    if (program.name !== kernel) return pipelines.request(program, defines);
    let { source } = program;
    for (const [from, to] of edits) {
      if (!source.includes(from)) throw new Error(`${kernel} has no "${from}"`);
      source = source.replaceAll(from, to);
    }
    return pipelines.request({ ...program, name: `${kernel} ${JSON.stringify(edits)}`, source }, defines);
  };
  const edited = new Proxy(pipelines, {
    get: (target, key) => {
      const value: unknown = key === 'request' ? request : Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { ...gpu, pipelines: edited };
}
