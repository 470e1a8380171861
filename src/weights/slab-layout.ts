import { TabmindError } from '../errors';
import type { PackedTensor, PlacedTensor, PlacedTensors } from './packed-tensor';

/** Part of the weights that is one GPU buffer: bytes [start, start + sizeBytes) of the image. */
export interface Slab {
  readonly start: number;
  readonly sizeBytes: number;
}

/**
 * Where every packed tensor lies. The image is all tensors in one row, each at a multiple of 256 bytes, group by group;
 * it does not depend on the device, so the cache stores the image. Slabs cut it between groups, as the device demands.
 */
export interface SlabLayout {
  /** In the order of the image. */
  readonly tensors: readonly ImageTensor[];
  readonly slabs: readonly Slab[];
  readonly imageBytes: number;
}

export interface ImageTensor extends PlacedTensor {
  readonly imageOffset: number;
}

const ALIGNMENT = 256;
/**
 * Slabs grow to this size. Larger buffers may be had, but one allocation of many gibibytes fails more often than several;
 * only a group that is larger by itself gets one.
 */
const FULL_SLAB_BYTES = 2 ** 30;

/** The largest slab that a device can make and bind. */
export function maxSlabBytes(
  limits: Pick<GPUSupportedLimits, 'maxBufferSize' | 'maxStorageBufferBindingSize'>,
): number {
  return Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
}

/** Throws `device-limits` when a group does not fit into one slab. */
export function layoutSlabs(
  tensors: readonly { readonly packed: PackedTensor; readonly group: string }[],
  maxBytes: number,
): SlabLayout {
  const groups = new Map<string, PackedTensor[]>();
  for (const { packed, group } of tensors) {
    const members = groups.get(group);
    if (members) members.push(packed);
    else groups.set(group, [packed]);
  }
  const placed: ImageTensor[] = [];
  const slabs: { start: number; sizeBytes: number }[] = [];
  const fullBytes = Math.min(maxBytes, FULL_SLAB_BYTES);
  let imageBytes = 0;
  for (const [group, members] of groups) {
    const groupBytes = members.reduce((sum, tensor) => sum + align(tensor.totalBytes), 0);
    if (groupBytes > maxBytes) throw groupTooLarge(group, groupBytes, maxBytes);
    let slab = slabs.at(-1);
    if (!slab || slab.sizeBytes + groupBytes > fullBytes) {
      slab = { start: imageBytes, sizeBytes: 0 };
      slabs.push(slab);
    }
    for (const tensor of members) {
      placed.push({ ...tensor, slab: slabs.length - 1, byteOffset: slab.sizeBytes, imageOffset: imageBytes });
      slab.sizeBytes += align(tensor.totalBytes);
      imageBytes += align(tensor.totalBytes);
    }
  }
  return { tensors: placed, slabs, imageBytes };
}

export function placesOf({ tensors }: SlabLayout): PlacedTensors {
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

/** The pieces of [start, end) of the image in each slab. */
export function slabRanges(
  layout: SlabLayout,
  start: number,
  end: number,
): readonly {
  readonly slab: number;
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}[] {
  return layout.slabs.flatMap(({ start: slabStart, sizeBytes }, slab) => {
    const [from, to] = [Math.max(start, slabStart), Math.min(end, slabStart + sizeBytes)];
    return from < to ? [{ slab, offset: from - slabStart, start: from, end: to }] : [];
  });
}

function align(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT) * ALIGNMENT;
}

function groupTooLarge(group: string, groupBytes: number, maxBytes: number): TabmindError {
  const [needed, offered] = [Math.ceil(groupBytes / 2 ** 20), Math.floor(maxBytes / 2 ** 20)];
  return new TabmindError(
    'device-limits',
    `The weights of "${group}" need ${needed} MiB in one buffer; this graphics device offers ${offered} MiB.`,
    {
      meaning: 'This model is too wide for this device.',
      remedy: 'Load it with fewer bits, or choose a smaller model.',
      details: { group, needed, offered },
    },
  );
}
