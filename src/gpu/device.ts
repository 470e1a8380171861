import { TabmindError } from '../errors';
import type { GpuInfo } from '../protocol';
import { hasByteMatrices, hasMatrices } from './matrices';
import { PipelineCache } from './pipeline';
import type { Defines } from './shader';

export interface GpuOptions {
  /** 'auto': f16 arithmetic where the adapter has shader-f16. 'f16' on an adapter without it is an error. */
  readonly math?: 'auto' | 'f32' | 'f16';
  /** False: the workgroup-memory reductions even where subgroups exist (for tests and debugging). Default true. */
  readonly subgroups?: boolean;
}

/** An open GPU device with what the rest of the runtime needs to know about it. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly info: GpuInfo;
  /** Arithmetic of the hot kernels; accumulation and residual are f32 in both. */
  readonly math: 'f32' | 'f16';
  /** 0: kernels reduce through workgroup memory. */
  readonly subgroupSize: number;
  /** f16 matrices of 16×16 that a subgroup multiplies with sums in f32 (tensor cores); tried out, not only offered. */
  readonly matrices: boolean;
  /** Matrices of bytes, 16×32 by 32×16, with sums in i32; tried out as well. */
  readonly byteMatrices: boolean;
  /** The adapter is a program on the CPU (SwiftShader): threads cost more than loops there. */
  readonly isSoftware: boolean;
  /** Scalars go to kernels as immediates; otherwise through a uniform buffer. */
  readonly immediates: boolean;
  /** Defines that every shader gets: F16, SUBGROUP_SIZE. */
  readonly defines: Defines;
  readonly pipelines: PipelineCache;
  /** Resolves with the error when the device is gone. */
  readonly lost: Promise<TabmindError>;
  /** Runs `listener` on validation and memory errors that no scope caught. */
  onError(listener: (error: TabmindError) => void): void;
  destroy(): void;
}

/** Whether products of many rows run on matrix units, of halves or of bytes. */
export function hasMatrixUnits({ matrices, byteMatrices }: Pick<Gpu, 'matrices' | 'byteMatrices'>): boolean {
  return matrices || byteMatrices;
}

const WANTED_FEATURES = [
  'shader-f16',
  'subgroups',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const;
/** Chrome's first requestAdapter() after a start can be null although the second works. */
const ADAPTER_TRIES = 12;
const ADAPTER_PAUSE_MS = 250;

/** Opens the high-performance adapter. Throws `no-webgpu`, `no-adapter` or `device-limits`. */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const adapter = await findAdapter();
  const offered = WANTED_FEATURES.filter((name) => adapter.features.has(name));
  const requiredLimits: Record<string, number> = {};
  for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
  const device = await adapter
    .requestDevice({ requiredFeatures: offered as GPUFeatureName[], requiredLimits })
    .catch((cause: unknown) => {
      throw new TabmindError('no-adapter', 'The graphics card refused to open a WebGPU device.', {
        meaning: 'No model can run in this tab.',
        remedy: 'Restart the browser; update the graphics driver if it happens again.',
        cause,
      });
    });
  const gpu = describe(adapter, device, options);
  const hasSubgroups = gpu.subgroupSize === 32;
  return {
    ...gpu,
    matrices: hasSubgroups && gpu.math === 'f16' && (await hasMatrices(device)),
    byteMatrices: hasSubgroups && (await hasByteMatrices(device)),
  };
}

async function findAdapter(): Promise<GPUAdapter> {
  const api: GPU | undefined = navigator.gpu;
  if (!api)
    throw new TabmindError('no-webgpu', 'This browser does not offer WebGPU to this page.', {
      meaning: 'tabmind computes on the graphics card through WebGPU and cannot run without it.',
      remedy: 'Use a current Chrome or Edge on a computer, and open the page over https or on localhost.',
    });
  for (let tries = 0; tries < ADAPTER_TRIES; tries++) {
    const adapter = await api.requestAdapter({ powerPreference: 'high-performance' });
    if (adapter) return adapter;
    await new Promise((resolve) => setTimeout(resolve, ADAPTER_PAUSE_MS));
  }
  throw new TabmindError('no-adapter', 'WebGPU is there, but no graphics adapter was given.', {
    meaning: 'The browser has blocked this graphics card or its driver, or hardware acceleration is off.',
    remedy: 'Turn on hardware acceleration, update the driver; on Linux start Chrome with Vulkan enabled.',
  });
}

function describe(
  adapter: GPUAdapter,
  device: GPUDevice,
  options: GpuOptions,
): Omit<Gpu, 'matrices' | 'byteMatrices'> {
  const hasF16 = device.features.has('shader-f16');
  if (options.math === 'f16' && !hasF16)
    throw new TabmindError(
      'device-limits',
      'f16 arithmetic was asked for, but this adapter has no shader-f16.',
      {
        remedy: "Choose 'auto' or 'f32' arithmetic.",
      },
    );
  const math = hasF16 && options.math !== 'f32' ? 'f16' : 'f32';
  const subgroupSize = fixedSubgroupSize(adapter, device, options.subgroups !== false);
  const immediates =
    navigator.gpu.wgslLanguageFeatures.has('immediate_address_space') &&
    'setImmediates' in GPUComputePassEncoder.prototype;
  const listeners: ((error: TabmindError) => void)[] = [];
  device.addEventListener('uncapturederror', (event) => {
    const memory = event.error instanceof GPUOutOfMemoryError;
    const error = new TabmindError(memory ? 'out-of-memory' : 'internal', event.error.message);
    for (const listener of listeners) listener(error);
  });
  const { vendor, architecture, description } = adapter.info;
  return {
    device,
    info: { vendor, architecture, description, features: [...device.features], subgroupSize, f16: hasF16 },
    math,
    subgroupSize,
    isSoftware: adapter.info.isFallbackAdapter,
    immediates,
    defines: { F16: math === 'f16', SUBGROUP_SIZE: subgroupSize },
    pipelines: new PipelineCache(device, immediates),
    lost: device.lost.then(lostError),
    onError: (listener) => listeners.push(listener),
    destroy: () => device.destroy(),
  };
}

/** Subgroup kernels are compiled for one size; adapters with a varying size use the workgroup path. */
function fixedSubgroupSize(adapter: GPUAdapter, device: GPUDevice, wanted: boolean): number {
  if (!wanted || !device.features.has('subgroups')) return 0;
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  return subgroupMinSize === subgroupMaxSize ? (subgroupMaxSize ?? 0) : 0;
}

function lostError(info: GPUDeviceLostInfo): TabmindError {
  return new TabmindError('device-lost', `The graphics device was lost: ${info.message || info.reason}`, {
    meaning: 'The model must be loaded again; your conversation is kept.',
    remedy: 'Reload the model. If it happens again, choose a smaller model or a shorter context.',
  });
}
