import { useEffect } from 'preact/hooks';
import { words } from '../i18n/locale';
import { pickerWords } from '../i18n/picker';
import { modelState, refreshCached } from '../state/engine';
import { menuOpenings } from '../state/menu-opening';
import { pickerView } from '../state/model-view';
import { inPicker, pickerError } from '../state/picker-error';
import { HubSettings } from './hub-settings';
import { ModelCatalog } from './model-catalog';
import { ModelField } from './model-field';
import { ModelList } from './model-list';
import { ModelStorage } from './model-storage';
import { PickerViews } from './picker-views';

function PickerError() {
  const error = pickerError.value;
  if (error === null) return null;
  return (
    <p class="hint hint-bad" role="alert">
      {words.value.error.texts[error.code].title} <code>{error.message}</code>
    </p>
  );
}

function Warnings() {
  const state = modelState.value;
  if (state.status !== 'ready' || state.info.warnings.length === 0) return null;
  return (
    <details class="warnings">
      <summary>{pickerWords.value.list.warnings}</summary>
      <ul>
        {state.info.warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </details>
  );
}

function Mine() {
  return (
    <>
      <Warnings />
      <div class="add-model">
        <ModelField />
        <HubSettings />
      </div>
    </>
  );
}

/** What the model picker holds: the models that are known, and the ways to others. */
export function ModelChoice() {
  const numOpenings = menuOpenings.value;
  useEffect(() => {
    if (numOpenings > 0) void inPicker(refreshCached, 'storage');
  }, [numOpenings]);
  const view = pickerView.value;
  return (
    <>
      <PickerViews />
      {view === 'catalog' && <ModelCatalog />}
      {view === 'storage' && <ModelStorage />}
      {view === 'mine' && <ModelList />}
      <PickerError />
      {view === 'mine' && <Mine />}
    </>
  );
}
