import { useId } from 'preact/hooks';
import { pickerWords } from '../i18n/picker';
import { remembersTokens, setToken, tokenOf } from '../state/hub';
import { hubName } from '../state/hub-name';
import { SwitchRow } from './switch-row';

/** The access token for one hub. It is held in memory from the first letter on, so there is nothing to confirm. */
export function TokenField({ host }: { readonly host: string }) {
  const text = pickerWords.value.hub;
  const id = useId();
  return (
    <div class="token">
      <label for={id}>{text.tokenLabel(hubName(host))}</label>
      <input
        id={id}
        class="field"
        type="password"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={tokenOf(host)}
        aria-describedby={`${id}-hint`}
        onInput={(event) => setToken(host, event.currentTarget.value)}
      />
      <p id={`${id}-hint`} class="hint">
        {text.tokenHint}
      </p>
      <SwitchRow
        label={text.remember}
        hint={text.rememberHint}
        isOn={remembersTokens.value}
        onSwitch={(isOn) => {
          remembersTokens.value = isOn;
        }}
      />
    </div>
  );
}
