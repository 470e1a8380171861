import { formatBytes, formatCompact, formatCount } from '../i18n/format';
import { pickerWords } from '../i18n/picker';
import { announce } from '../state/announcement';
import {
  cachedModels,
  cancelLoad,
  deleteStored,
  interruptedBytes,
  loadsSettled,
  modelState,
  refreshCached,
  storedBytes,
} from '../state/engine';
import { forgetFolder } from '../state/folder-handles';
import { choose } from '../state/model-choosing';
import { forgetModel, modelName, models, type PageModel, STARTER, selectedModel } from '../state/models';
import { inPicker } from '../state/picker-error';
import { Icon } from './icon';
import { IconButton } from './icon-button';

/** Takes the stored weights away and, for a model the person added, the entry too. */
async function remove(model: PageModel): Promise<void> {
  if (selectedModel.value.id === model.id && modelState.value.status === 'loading') {
    cancelLoad();
    // what it writes last must be there to be deleted
    await loadsSettled();
    await refreshCached();
  }
  await deleteStored(model);
  if (model.kind === 'folder') await forgetFolder(model.id);
  if (selectedModel.value.id === model.id && model.id !== STARTER.id) choose(STARTER);
  forgetModel(model);
  announce(pickerWords.value.list.removed(modelName(model)));
}

/** One line of facts: from the engine when this is the loaded model, else whether it is stored. */
function modelFacts(model: PageModel): string {
  const text = pickerWords.value.list;
  const state = modelState.value;
  if (state.status === 'ready' && selectedModel.value.id === model.id) {
    const { parameters, contextLength, weightBits } = state.info;
    return text.stats(formatCompact(parameters), formatCount(contextLength), weightBits);
  }
  const partBytes = interruptedBytes(model);
  if (partBytes > 0) return text.interrupted(formatBytes(partBytes));
  const bytes = storedBytes(model);
  if (bytes > 0) return text.stored(formatBytes(bytes));
  if (model.kind === 'folder') return text.folder;
  return model.id === STARTER.id ? text.starterNote : text.notStored;
}

function ModelRow({ model }: { readonly model: PageModel }) {
  const isSelected = selectedModel.value.id === model.id;
  const isStored = cachedModels.value.some(({ id }) => id === model.id);
  const name = modelName(model);
  return (
    <li class={isSelected ? 'model-row model-row-selected' : 'model-row'}>
      <button type="button" class="model-choice" aria-pressed={isSelected} onClick={() => choose(model)}>
        <span class="model-name">
          {name}
          {model.id === STARTER.id && <span class="badge">16M</span>}
        </span>
        <span class="model-facts">{modelFacts(model)}</span>
      </button>
      {isSelected && <Icon name="check" />}
      {(isStored || model.id !== STARTER.id) && (
        <IconButton
          icon="trash"
          label={pickerWords.value.list.remove(name)}
          onClick={() => void inPicker(() => remove(model), 'storage')}
        />
      )}
    </li>
  );
}

/** The starter and what the person added. */
export function ModelList() {
  return (
    <ul class="model-list">
      {models.value.map((model) => (
        <ModelRow key={model.id} model={model} />
      ))}
    </ul>
  );
}
