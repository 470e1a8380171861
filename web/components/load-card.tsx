import type { LoadProgress } from '../../src/index';
import { formatBytes, formatTimeLeft } from '../i18n/format';
import { words } from '../i18n/locale';
import { cancelLoad, interruptedBytes, loadModel, modelState, pauseLoad, resumeLoad } from '../state/engine';
import { hasFailedAnswer } from '../state/error-action';
import { modelName, type PageModel, selectedModel } from '../state/models';
import { closeOffer, offer } from '../state/offer';
import { ErrorCard } from './error-card';
import { LazyPicker } from './lazy-picker';

/** Phases that read piece by piece, so that there is something to hold up. */
const PAUSABLE: ReadonlySet<LoadProgress['phase']> = new Set(['download', 'convert']);

/** Bytes so far, and once there is enough to tell, speed and time left. */
function LoadNumbers({ progress }: { readonly progress: LoadProgress }) {
  const { load } = words.value;
  const { loadedBytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
  return (
    <span class="load-numbers">
      <span class="load-bytes">{load.of(formatBytes(loadedBytes), formatBytes(totalBytes))}</span>
      {bytesPerSecond !== undefined && bytesPerSecond > 0 && (
        <span class="load-speed">{formatBytes(bytesPerSecond)}/s</span>
      )}
      {secondsLeft !== undefined && loadedBytes < totalBytes && (
        <span class="load-left">{load.left(formatTimeLeft(secondsLeft))}</span>
      )}
    </span>
  );
}

function PauseButton({ isPaused }: { readonly isPaused: boolean }) {
  const { load } = words.value;
  return (
    <button type="button" class="text-button" onClick={() => void (isPaused ? resumeLoad() : pauseLoad())}>
      {isPaused ? load.resume : load.pause}
    </button>
  );
}

interface LoadBarProps {
  readonly model: PageModel;
  readonly progress: LoadProgress | null;
  readonly onCancel: () => void;
}

function LoadBar({ model, progress, onCancel }: LoadBarProps) {
  const { load } = words.value;
  const isPaused = progress?.paused === true;
  const phase = isPaused ? load.paused : load.phases[progress?.phase ?? 'inspect'];
  const counted = progress !== null && progress.totalBytes > 0;
  return (
    <section class="card load" aria-label={load.title(modelName(model))}>
      <div class="load-head">
        <span class="load-phase">{phase}</span>
        {counted && <LoadNumbers progress={progress} />}
        <span class="load-actions">
          {progress !== null && (isPaused || PAUSABLE.has(progress.phase)) && (
            <PauseButton isPaused={isPaused} />
          )}
          <button type="button" class="text-button" onClick={onCancel}>
            {load.cancel}
          </button>
        </span>
      </div>
      <progress
        aria-label={phase}
        max={1}
        {...(counted ? { value: Math.min(1, progress.loadedBytes / progress.totalBytes) } : {})}
      />
    </section>
  );
}

function IdleCard() {
  const { load } = words.value;
  const model = selectedModel.value;
  const hereBytes = interruptedBytes(model);
  return (
    <section class="card load-idle">
      <span>
        {load.idle(modelName(model))}
        {hereBytes > 0 && <small>{load.here(formatBytes(hereBytes))}</small>}
      </span>
      <button type="button" class="button" onClick={() => void loadModel()}>
        {hereBytes > 0 ? load.goOn : load.start}
      </button>
    </section>
  );
}

/**
 * Above the message box: a model that the person is asked about; else, while there is none to answer, its progress, an
 * error with its remedy, or a button to load.
 */
export function LoadCard() {
  const asked = offer.value;
  if (asked !== null) {
    const isFirstLook = asked.isLooking && asked.inspection === null;
    if (isFirstLook) return <LoadBar model={asked.model} progress={null} onCancel={closeOffer} />;
    return <LazyPicker part="OfferCard" />;
  }
  const state = modelState.value;
  if (state.status === 'ready') return null;
  if (state.status === 'loading')
    return <LoadBar model={selectedModel.value} progress={state.progress} onCancel={cancelLoad} />;
  if (hasFailedAnswer()) return null;
  if (state.status === 'failed') return <ErrorCard error={state.error} />;
  return <IdleCard />;
}
