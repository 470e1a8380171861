import { chatWords } from '../i18n/chat';
import { words } from '../i18n/locale';
import { keepAgain, keepProblem } from '../state/archive';
import { runErrorAction } from '../state/error-action';
import { Icon } from './icon';

/** Says that the browser refused to store the last change, instead of losing it in silence. */
export function KeepNotice() {
  const problem = keepProblem.value;
  if (problem === null) return null;
  const { keep } = chatWords.value;
  return (
    <section class="card error" role="alert">
      <Icon name="alert" />
      <div class="error-body">
        <strong>{keep.title}</strong>
        <p>
          {keep.advice} <code>{problem.message}</code>
        </p>
        <div class="error-actions">
          <button type="button" class="button" onClick={keepAgain}>
            {keep.again}
          </button>
          {problem.code === 'quota' && (
            <button
              type="button"
              class="button button-quiet"
              onClick={() => void runErrorAction('free-space')}
            >
              {words.value.error.actions['free-space']}
            </button>
          )}
        </div>
      </div>
    </section>
  );
}
