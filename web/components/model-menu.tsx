import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { type ModelRef, TabmindError } from '../../src/index';
import { formatBytes, formatCompact, formatCount } from '../i18n/format';
import { words } from '../i18n/locale';
import { announce } from '../state/announcement';
import { interrupt } from '../state/conversation';
import { cachedModels, deleteStored, loadModel, modelState, refreshCached } from '../state/engine';
import { MODEL_MENU_ID } from '../state/error-action';
import { modelFromAddress } from '../state/model-address';
import { addModel, forgetModel, modelName, models, STARTER, selectedModel } from '../state/models';
import { Icon } from './icon';
import { IconButton } from './icon-button';
import { closeMenu, Menu } from './menu';

/** Why the list of stored models could not be read or changed. */
const storageError = signal<TabmindError | null>(null);

async function withStorage(work: () => Promise<void>): Promise<void> {
  try {
    await work();
    storageError.value = null;
  } catch (thrown) {
    storageError.value = TabmindError.from(thrown, 'storage');
  }
}

function StorageError() {
  const error = storageError.value;
  if (error === null) return null;
  return (
    <p class="hint hint-bad" role="alert">
      {words.value.error.texts[error.code].title} <code>{error.message}</code>
    </p>
  );
}

function choose(model: ModelRef): void {
  closeMenu(MODEL_MENU_ID);
  const isReady = modelState.value.status === 'ready' && selectedModel.value.id === model.id;
  if (isReady) return;
  interrupt();
  void loadModel(model);
}

/** Takes the stored weights away and, for a model the person added, the entry too. */
async function remove(model: ModelRef): Promise<void> {
  await deleteStored(model);
  if (selectedModel.value.id === model.id && model.id !== STARTER.id) choose(STARTER);
  forgetModel(model);
  announce(words.value.models.removed(modelName(model)));
}

/** One line of facts: from the engine when this is the loaded model, else whether it is stored. */
function modelFacts(model: ModelRef): string {
  const text = words.value.models;
  const state = modelState.value;
  if (state.status === 'ready' && selectedModel.value.id === model.id) {
    const { parameters, contextLength, weightBits } = state.info;
    return text.stats(formatCompact(parameters), formatCount(contextLength), weightBits);
  }
  const bytes = cachedModels.value
    .filter(({ id }) => id === model.id)
    .reduce((sum, one) => sum + one.bytes, 0);
  if (bytes > 0) return text.stored(formatBytes(bytes));
  return model.id === STARTER.id ? text.starterNote : text.notStored;
}

function ModelRow({ model }: { readonly model: ModelRef }) {
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
          label={words.value.models.remove(name)}
          onClick={() => void withStorage(() => remove(model))}
        />
      )}
    </li>
  );
}

function AddModel() {
  const text = words.value.models;
  const [address, setAddress] = useState('');
  const [isInvalid, setIsInvalid] = useState(false);
  const add = (event: Event): void => {
    event.preventDefault();
    const model = modelFromAddress(address);
    setIsInvalid(model === null);
    if (model === null) return;
    setAddress('');
    addModel(model);
    choose(model);
  };
  return (
    <form class="add-model" onSubmit={add}>
      <label for="model-address">{text.addLabel}</label>
      <div class="add-model-row">
        <input
          id="model-address"
          type="text"
          inputmode="url"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={text.addPlaceholder}
          value={address}
          aria-invalid={isInvalid}
          aria-describedby="model-address-hint"
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
        <button type="submit" class="button" disabled={address.trim() === ''}>
          {text.addButton}
        </button>
      </div>
      <p id="model-address-hint" class={isInvalid ? 'hint hint-bad' : 'hint'}>
        {isInvalid ? text.addInvalid : text.addHint}
      </p>
    </form>
  );
}

function Warnings() {
  const state = modelState.value;
  if (state.status !== 'ready' || state.info.warnings.length === 0) return null;
  return (
    <details class="warnings">
      <summary>{words.value.models.warnings}</summary>
      <ul>
        {state.info.warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </details>
  );
}

/** The model picker: the starter, what the person added, and a field for any checkpoint folder. */
export function ModelMenu() {
  return (
    <Menu
      id={MODEL_MENU_ID}
      title={words.value.models.title}
      class="menu-models"
      onOpen={() => void withStorage(refreshCached)}
    >
      <ul class="model-list">
        {models.value.map((model) => (
          <ModelRow key={model.id} model={model} />
        ))}
      </ul>
      <StorageError />
      <Warnings />
      <AddModel />
    </Menu>
  );
}
