import { computed } from '@preact/signals';
import { modelState } from './engine';

export type Obstacle = 'insecure' | 'missing' | 'adapter';

/** What keeps this browser from running any model at all, or null. */
export const obstacle = computed<Obstacle | null>(() => {
  if (!('gpu' in navigator)) return isSecureContext ? 'missing' : 'insecure';
  const state = modelState.value;
  if (state.status !== 'failed') return null;
  if (state.error.code === 'no-webgpu') return 'missing';
  return state.error.code === 'no-adapter' ? 'adapter' : null;
});
