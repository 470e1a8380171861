import { words } from '../i18n/locale';
import { isAnswering } from '../state/conversation';
import { modelName, STARTER, selectedModel } from '../state/models';
import { sendText } from '../state/sending';
import { Logo } from './logo';

/** "Qwen3-8B" with word joiners: a line does not end behind its hyphen. */
const unbroken = (name: string): string => name.replaceAll('-', '-\u2060');

/** What a new chat shows: one line of what this is, and questions the starter can answer. */
export function EmptyState() {
  const { empty } = words.value;
  const model = selectedModel.value;
  return (
    <section class="empty">
      <Logo />
      <h2>{empty.heading}</h2>
      <p>{model.id === STARTER.id ? empty.starter : empty.custom(unbroken(modelName(model)))}</p>
      <ul class="chips" aria-label={empty.suggestions}>
        {empty.chips.map((chip) => (
          <li key={chip}>
            <button
              type="button"
              class="chip"
              disabled={isAnswering.value}
              onClick={() => void sendText(chip)}
            >
              {chip}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
