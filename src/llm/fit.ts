import { kvLayout, planSlabs } from '../kvcache/kv-pool';
import type { Fit, FitLimit } from '../model-ref';
import type { ModelConfig } from '../models/config';
import { largestKeyBias } from '../runner/key-bias';
import { permutedCols, planStepMemory } from '../runner/step-memory';
import type { PackedTensor } from '../weights/packed-tensor';
import { layoutSlabs, maxSlabBytes } from '../weights/slab-layout';
import type { LoadShape } from './load-shape';

/** The limits of a device that decide how memory is cut. */
export type FitLimits = Pick<GPUSupportedLimits, 'maxBufferSize' | 'maxStorageBufferBindingSize'>;

export interface ModelSizes {
  readonly packedBytes: number;
  readonly kvBytes: number;
  readonly scratchBytes: number;
  readonly conversionBytes: number;
}

/** GPU memory of a model by what it is for. */
export interface MemoryNeeds {
  readonly sizes: ModelSizes;
  /** Weights, activations and step state, buffer by buffer. */
  readonly fixedBuffers: readonly number[];
  /** The KV pool, which a shorter context makes smaller. */
  readonly kvBuffers: readonly number[];
  /** Beside them while the checkpoint is converted. */
  readonly conversionBuffers: readonly number[];
}

/** A block of checkpoint rows, the copies queued for it, and the chunks on their way to the cache. */
const MAX_CONVERSION_BYTES = 128 * 2 ** 20;

export interface MemoryQuestion {
  readonly config: ModelConfig;
  readonly tensors: readonly { readonly packed: PackedTensor; readonly group: string }[];
  readonly shape: LoadShape;
  readonly limits: FitLimits;
  /** 0 when nothing is to be converted. */
  readonly checkpointBytes: number;
}

/**
 * Pure arithmetic. Throws `device-limits` when something that must be one buffer is larger than a buffer may be. What only
 * the values of the weights decide is counted at its largest.
 */
export function memoryNeeds(question: MemoryQuestion): MemoryNeeds {
  const { config, tensors, shape, limits, checkpointBytes } = question;
  const image = layoutSlabs(tensors, maxSlabBytes(limits));
  const maxKvBytes = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const layout = kvLayout(shape.kv);
  const kvSlabs = planSlabs(layout, maxKvBytes).map((slab) => slab.sizeBytes);
  const names = new Set(tensors.map(({ packed }) => packed.name));
  const step = planStepMemory(config, {
    ...shape,
    blockTokens: shape.kv.blockTokens,
    permutedCols: permutedCols(tensors.map(({ packed }) => packed)),
    keyBias: largestKeyBias(config, names, shape.contextLength),
  });
  const conversionBytes = Math.min(MAX_CONVERSION_BYTES, 2 * checkpointBytes);
  return {
    sizes: {
      packedBytes: image.imageBytes,
      kvBytes: sum(kvSlabs),
      scratchBytes: step.scratchBytes + step.stateBytes,
      conversionBytes,
    },
    fixedBuffers: [...image.slabs.map((slab) => slab.sizeBytes), step.scratchBytes, step.stateBytes],
    kvBuffers: [...kvSlabs, layout.blockBytes],
    conversionBuffers: conversionBytes > 0 ? [conversionBytes] : [],
  };
}

/** What is left to try when `heldBytes` of it will be free again before the load begins. */
export function withoutHeld(buffers: readonly number[], heldBytes: number): readonly number[] {
  let held = heldBytes;
  return buffers.flatMap((bytes) => {
    const kept = Math.max(0, bytes - held);
    held = Math.max(0, held - bytes);
    return kept > 0 ? [kept] : [];
  });
}

/** Which buffers the graphics card gave when it was asked for them: all, those that stay, all but the context, or fewer. */
export type Given = 'all' | 'resident' | 'fixed' | 'none';

export interface FitVerdict {
  readonly fits: Fit;
  readonly limit: FitLimit;
  readonly reason: string;
}

/** `storageBytes`: room that the browser has for the cache; null when it does not say, or the cache is off. */
export function judgeFit(sizes: ModelSizes, given: Given, storageBytes: number | null): FitVerdict {
  const { packedBytes, kvBytes, scratchBytes, conversionBytes } = sizes;
  const total = inWords(packedBytes + kvBytes + scratchBytes);
  const parts = `${inWords(packedBytes)} weights, ${inWords(kvBytes)} context, ${inWords(scratchBytes)} working memory`;
  if (given === 'fixed')
    return {
      fits: 'too-big',
      limit: 'context',
      reason:
        `It needs ${total} of graphics memory (${parts}). The graphics card has room for the weights, but not for the ` +
        'context beside them. Choose a shorter context, fewer sequences or fewer bits.',
    };
  if (given === 'none')
    return {
      fits: 'too-big',
      limit: 'memory',
      reason:
        `It needs ${total} of graphics memory (${parts}), and the graphics card did not give that much. ` +
        'Choose a smaller model, fewer bits or a shorter context, or close other programs that use the card.',
    };
  if (given === 'resident')
    return {
      fits: 'tight',
      limit: 'memory',
      reason:
        `It needs ${total} of graphics memory (${parts}), which the card gave, but not ${inWords(conversionBytes)} more ` +
        'for converting it. Close other programs that use the card before loading.',
    };
  if (storageBytes !== null && storageBytes < packedBytes)
    return {
      fits: 'tight',
      limit: 'storage',
      reason:
        `It needs ${total} of graphics memory (${parts}), which the card gave, but the browser has room for only ` +
        `${inWords(storageBytes)} to keep it for the next visit. Delete a stored model, or load with the cache off.`,
    };
  return {
    fits: 'fits',
    limit: null,
    reason: `It needs ${total} of graphics memory (${parts}), and the graphics card gave that much when asked.`,
  };
}

/** '1.5 GiB', '12 MiB'. */
export function inWords(bytes: number): string {
  const gib = bytes / 2 ** 30;
  if (gib >= 1) return `${gib.toFixed(1)} GiB`;
  return `${Math.max(1, Math.round(bytes / 2 ** 20))} MiB`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
