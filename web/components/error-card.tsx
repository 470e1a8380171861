import type { TabmindError } from '../../src/index';
import type { ErrorText } from '../i18n/en';
import { words } from '../i18n/locale';
import { type ErrorAction, errorActions, runErrorAction } from '../state/error-action';
import { Icon } from './icon';

/** What is to be done first says more than the code where one code has two causes. */
function textOf({ code }: TabmindError, action: ErrorAction | undefined): ErrorText {
  const { folder, gated, texts } = words.value.error;
  if (action === 'open-folder') return folder;
  return action === 'give-token' ? gated : texts[code];
}

/** An error in plain words with the thing to do about it; the engine's own sentence is folded away. */
export function ErrorCard({ error }: { readonly error: TabmindError }) {
  const { actions, details } = words.value.error;
  const remedies = errorActions(error);
  const text = textOf(error, remedies[0]);
  return (
    <section class="card error">
      <Icon name="alert" />
      <div class="error-body">
        <strong>{text.title}</strong>
        <p>{text.advice}</p>
        <div class="error-actions">
          {remedies.map((action, index) => (
            <button
              key={action}
              type="button"
              class={index === 0 ? 'button' : 'button button-quiet'}
              onClick={() => void runErrorAction(action)}
            >
              {actions[action]}
            </button>
          ))}
        </div>
        <details>
          <summary>{details}</summary>
          <p class="error-details">
            <code>{error.code}</code> {[error.message, error.meaning, error.remedy].filter(Boolean).join(' ')}
          </p>
        </details>
      </div>
    </section>
  );
}
