import { pickerWords } from '../i18n/picker';
import { HUBS, type HubChoice, hub, hubChoice, ownHub, tokenOf } from '../state/hub';
import { hubName } from '../state/hub-name';
import { TokenField } from './token-field';

export const HUB_SETTINGS_ID = 'hub-settings';

function OwnHub() {
  const text = pickerWords.value.hub;
  const isInvalid = hub.value === null && ownHub.value.trim() !== '';
  return (
    <label class="labelled">
      {text.ownLabel}
      <input
        class="field"
        type="text"
        inputmode="url"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="https://hub.example.org"
        value={ownHub}
        aria-invalid={isInvalid}
        onInput={(event) => {
          ownHub.value = event.currentTarget.value;
        }}
      />
      <span class="hint">{text.ownHint}</span>
    </label>
  );
}

function HubRadio({ choice }: { readonly choice: HubChoice }) {
  return (
    <label class="hub-choice">
      <input
        type="radio"
        name="hub"
        value={choice}
        checked={hubChoice.value === choice}
        onChange={() => {
          hubChoice.value = choice;
        }}
      />
      {choice === 'own' ? pickerWords.value.hub.own : hubName(choice)}
    </label>
  );
}

/** Where `owner/name` is looked up, and the access token for it; folded away until somebody needs it. */
export function HubSettings() {
  const text = pickerWords.value.hub;
  const host = hub.value;
  const hasToken = host !== null && tokenOf(host) !== '';
  return (
    <details class="hub" id={HUB_SETTINGS_ID}>
      <summary>
        {text.summary(host === null ? text.own : hubName(host))}
        {hasToken && <span class="badge">{text.withToken}</span>}
      </summary>
      <fieldset class="hub-choices">
        <legend class="visually-hidden">{text.legend}</legend>
        {HUBS.map((choice) => (
          <HubRadio key={choice} choice={choice} />
        ))}
      </fieldset>
      {hubChoice.value === 'own' && <OwnHub />}
      {host !== null && <TokenField host={host} />}
    </details>
  );
}
