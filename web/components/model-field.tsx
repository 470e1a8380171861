import { useState } from 'preact/hooks';
import { pickerWords } from '../i18n/picker';
import { pickFolder } from '../state/folders';
import { hub } from '../state/hub';
import { address, modelFromAddress } from '../state/model-address';
import { chooseNew } from '../state/model-choosing';
import { inPicker } from '../state/picker-error';
import { Icon } from './icon';

export const MODEL_ADDRESS_ID = 'model-address';

async function openFolder(): Promise<void> {
  const model = await pickFolder();
  if (model !== null) chooseNew(model);
}

function FolderRow() {
  const { folder } = pickerWords.value;
  return (
    <p class="folder-row hint">
      <button
        type="button"
        class="button button-quiet"
        onClick={() => void inPicker(openFolder, 'not-found')}
      >
        <Icon name="folder" />
        {folder.open}
      </button>
      <span class="folder-hint">{folder.hint}</span>
    </p>
  );
}

/** A field for a model id or address, and the button for a folder. */
export function ModelField() {
  const { field } = pickerWords.value;
  const [isInvalid, setIsInvalid] = useState(false);
  const lookUp = (event: Event): void => {
    event.preventDefault();
    const model = modelFromAddress(address.value);
    setIsInvalid(model === null);
    if (model !== null) chooseNew(model);
  };
  const hint = !isInvalid ? field.hint : hub.value === null ? field.invalidHub : field.invalid;
  return (
    <form onSubmit={lookUp}>
      <label for={MODEL_ADDRESS_ID}>{field.label}</label>
      <div class="field-row">
        <input
          id={MODEL_ADDRESS_ID}
          class="field"
          type="text"
          inputmode="url"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder={field.placeholder}
          value={address}
          aria-invalid={isInvalid}
          aria-describedby="model-address-hint"
          onInput={(event) => {
            address.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="button" disabled={address.value.trim() === ''}>
          {field.button}
        </button>
      </div>
      <p id="model-address-hint" class={isInvalid ? 'hint hint-bad' : 'hint'}>
        {hint}
      </p>
      <FolderRow />
    </form>
  );
}
