import type { LoadProgress } from '../../src/index';
import { formatBytes } from '../i18n/format';
import { words } from '../i18n/locale';
import { turns } from '../state/conversation';
import { cancelLoad, loadModel, modelState } from '../state/engine';
import { modelName, selectedModel } from '../state/models';
import { ErrorCard } from './error-card';

function LoadBar({ progress }: { readonly progress: LoadProgress | null }) {
  const { load } = words.value;
  const phase = load.phases[progress?.phase ?? 'inspect'];
  const counted = progress !== null && progress.totalBytes > 0;
  return (
    <section class="card load" aria-label={load.title(modelName(selectedModel.value))}>
      <div class="load-head">
        <span class="load-phase">{phase}</span>
        {counted && (
          <span class="load-bytes">
            {load.of(formatBytes(progress.loadedBytes), formatBytes(progress.totalBytes))}
          </span>
        )}
        <button type="button" class="text-button" onClick={cancelLoad}>
          {load.cancel}
        </button>
      </div>
      <progress
        aria-label={phase}
        max={1}
        {...(counted ? { value: Math.min(1, progress.loadedBytes / progress.totalBytes) } : {})}
      />
    </section>
  );
}

/** Above the message box while there is no model to answer: progress, an error with its remedy, or a button to load. */
export function LoadCard() {
  const state = modelState.value;
  const { load } = words.value;
  if (state.status === 'ready') return null;
  if (state.status === 'loading') return <LoadBar progress={state.progress} />;
  const last = turns.value.at(-1);
  const shownBelowQuestion = last?.role === 'assistant' && last.state.value.status === 'failed';
  if (shownBelowQuestion) return null;
  if (state.status === 'failed') return <ErrorCard error={state.error} />;
  return (
    <section class="card load-idle">
      <span>{load.idle(modelName(selectedModel.value))}</span>
      <button type="button" class="button" onClick={() => void loadModel()}>
        {load.start}
      </button>
    </section>
  );
}
