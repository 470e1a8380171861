import { TabmindError } from '../errors';
import { type Defines, expandShader, MAX_PARAM_BYTES, type ParamLayout } from './shader';

export type BindingKind = 'read' | 'write';

/** A WGSL source with what the host must know about it. Bindings are group 0, in order. */
export interface ShaderProgram {
  readonly name: string;
  readonly source: string;
  readonly params: ParamLayout;
  readonly bindings: readonly BindingKind[];
  /** Sources by name that it alone imports, so that they are fetched with it. */
  readonly parts?: Readonly<Record<string, string>>;
}

/** A pipeline compiling in the background. Reading `pipeline` before it is done compiles it on the spot. */
export interface PipelineHandle {
  readonly label: string;
  readonly bindings: readonly BindingKind[];
  readonly pipeline: GPUComputePipeline;
  /** Rejects with `shader`. */
  readonly compiled: Promise<void>;
}

const objectIds = new WeakMap<object, number>();
let numObjects = 0;

/** A number for an object that does not change, so that keys can name it. */
export function idOf(object: object): number {
  let id = objectIds.get(object);
  if (id === undefined) {
    id = numObjects++;
    objectIds.set(object, id);
  }
  return id;
}

/** Compiles every distinct (source, defines) once, all in parallel. */
export class PipelineCache {
  /** For tests: defines are put together each time, and must be those of their key. */
  static checksKeys = false;

  readonly #device: GPUDevice;
  readonly #immediates: boolean;
  readonly #entries = new Map<string, PipelineHandle>();
  readonly #byKey = new Map<ShaderProgram, Map<string, PipelineHandle>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly paramsLayout: GPUBindGroupLayout;

  constructor(device: GPUDevice, immediates: boolean) {
    this.#device = device;
    this.#immediates = immediates;
    this.paramsLayout = device.createBindGroupLayout({
      label: 'params',
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: 0 },
        },
      ],
    });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Starts compiling unless the same program with the same defines was asked for before. */
  request(program: ShaderProgram, defines: Defines): PipelineHandle {
    const key = `${program.name} ${JSON.stringify(defines)}`;
    const known = this.#entries.get(key);
    if (known) return known;
    const code = expandShader(
      program.name,
      program.source,
      defines,
      program.params,
      this.#immediates,
      program.parts,
    );
    const entry = this.#compile(program, key, code);
    this.#entries.set(key, entry);
    return entry;
  }

  /**
   * The same for calls that come with every layer of a step: `defines` are put together only when the program gets a new
   * `key`, from which they must follow. Of hundreds of dispatches a step, that would take longer than all the rest.
   */
  requestOnce(program: ShaderProgram, key: string, defines: () => Defines): PipelineHandle {
    let handles = this.#byKey.get(program);
    if (!handles) {
      handles = new Map();
      this.#byKey.set(program, handles);
    }
    let handle = handles.get(key);
    if (!handle) {
      handle = this.request(program, defines());
      handles.set(key, handle);
    } else if (PipelineCache.checksKeys && this.request(program, defines()) !== handle)
      throw new TabmindError('internal', `${program.name}: "${key}" stands for different defines`);
    return handle;
  }

  /** Waits for everything requested so far, or for these. Throws `shader` with the compiler's words. */
  async ready(handles: Iterable<PipelineHandle> = this.#entries.values()): Promise<void> {
    await Promise.all(Array.from(handles, (handle) => handle.compiled));
  }

  bindGroupLayout(bindings: readonly BindingKind[]): GPUBindGroupLayout {
    const key = bindings.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        label: key,
        entries: bindings.map((kind, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: kind === 'read' ? 'read-only-storage' : 'storage' },
        })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  #compile(program: ShaderProgram, label: string, code: string): PipelineHandle {
    const hasParams = Object.keys(program.params).length > 0;
    const bindGroupLayouts = [this.bindGroupLayout(program.bindings)];
    if (hasParams && !this.#immediates) bindGroupLayouts.push(this.paramsLayout);
    const layout = this.#device.createPipelineLayout({
      label: program.name,
      bindGroupLayouts,
      ...(this.#immediates ? { immediateSize: MAX_PARAM_BYTES } : {}),
    });
    const module = this.#device.createShaderModule({ label, code });
    const descriptor = { label, layout, compute: { module, entryPoint: 'main' } };
    let pipeline: GPUComputePipeline | undefined;
    const compiled = this.#device.createComputePipelineAsync(descriptor).then(
      (made) => {
        pipeline ??= made;
      },
      async (cause: unknown) => {
        throw await compileError(label, module, cause);
      },
    );
    // ready() reports it; without this a rejection before ready() would count as unhandled.
    compiled.catch(() => undefined);
    const device = this.#device;
    return {
      label,
      bindings: program.bindings,
      compiled,
      get pipeline() {
        pipeline ??= device.createComputePipeline(descriptor);
        return pipeline;
      },
    };
  }
}

async function compileError(label: string, module: GPUShaderModule, cause: unknown): Promise<TabmindError> {
  const { messages } = await module.getCompilationInfo();
  const words = messages.map((message) => `line ${message.lineNum}: ${message.message}`).join('\n');
  return new TabmindError('shader', `${label}: ${words || String(cause)}`, {
    meaning: 'This browser or driver could not build one of the GPU programs.',
    remedy: 'Update the browser and the graphics driver.',
    cause,
  });
}
