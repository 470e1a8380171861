import type { TabmindError } from '../../src/index';
import { words } from '../i18n/locale';
import { errorActions, runErrorAction } from '../state/error-action';
import { Icon } from './icon';

/** An error in plain words with the thing to do about it; the engine's own sentence is folded away. */
export function ErrorCard({ error }: { readonly error: TabmindError }) {
  const { actions, details, folder, texts } = words.value.error;
  const remedies = errorActions(error);
  const text = remedies[0] === 'open-folder' ? folder : texts[error.code];
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
