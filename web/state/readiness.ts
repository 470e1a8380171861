import { effect } from '@preact/signals';
import type { ModelInfo } from '../../src/index';
import { modelState } from './engine';
import { selectedModel } from './models';
import { offer, startModel } from './offer';

/**
 * Resolves when a model can answer. With none under way, the selected one is started, which may ask the person first.
 * Rejects with the load's error, the abort, or an AbortError when the load or the question was cancelled.
 */
export function whenReady(signal: AbortSignal): Promise<ModelInfo> {
  // no event comes of what was stopped before it began
  if (signal.aborted) return Promise.reject(signal.reason);
  const { status } = modelState.value;
  const isAtRest = (status === 'idle' || status === 'failed') && offer.value === null;
  if (isAtRest) void startModel(selectedModel.value);
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (outcome: () => void): void => {
      settled = true;
      outcome();
      queueMicrotask(() => stop());
    };
    const stop = effect(() => {
      const state = modelState.value;
      const isAsking = offer.value !== null;
      if (settled) return;
      if (state.status === 'ready') settle(() => resolve(state.info));
      else if (isAsking) return;
      else if (state.status === 'failed') settle(() => reject(state.error));
      else if (state.status === 'idle')
        settle(() => reject(signal.reason ?? new DOMException('', 'AbortError')));
    });
    signal.addEventListener('abort', () => settle(() => reject(signal.reason)), { once: true });
  });
}
