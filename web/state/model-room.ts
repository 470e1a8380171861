import { signal } from '@preact/signals';
import type { GpuRoom } from '../../src/index';
import { engine } from './engine';

/** What the graphics card has room for; null until it was asked. */
export const gpuRoom = signal<GpuRoom | null>(null);

/** More than anything in the catalogue needs. */
const MOST_BYTES = 16 * 2 ** 30;

let asking: Promise<void> | null = null;

/** Asks once in the life of the page, as soon as nothing else needs the memory. */
export function findRoom(): Promise<void> {
  asking ??= ask().finally(() => {
    asking = null;
  });
  return asking;
}

async function ask(): Promise<void> {
  gpuRoom.value ??= await engine().measureRoom(MOST_BYTES);
}
