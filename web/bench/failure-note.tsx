import { TabmindError } from '../../src/index';
import { benchWords } from '../i18n/bench';
import { words } from '../i18n/locale';
import { failureText } from './failure';
import { PlanError } from './plan';

/** What went wrong, in the language of the page; the engine's own sentence comes after it. */
export function FailureNote({ error }: { readonly error: unknown }) {
  if (error instanceof PlanError)
    return <p class="bench-failed">{benchWords.value.problems[error.problem](error.piece)}</p>;
  if (!(error instanceof TabmindError)) return <p class="bench-failed">{failureText(error)}</p>;
  const { texts, details } = words.value.error;
  const { title, advice } = texts[error.code];
  return (
    <div>
      <p class="bench-failed">{title}</p>
      <p>{advice}</p>
      <details>
        <summary>{details}</summary>
        <p>{failureText(error)}</p>
      </details>
    </div>
  );
}
