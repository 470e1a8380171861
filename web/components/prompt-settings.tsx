import { useEffect, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { words } from '../i18n/locale';
import { settingsWords } from '../i18n/settings';
import { keepPrompt, loadPrompts, ownPrompts, removePrompt } from '../state/prompts';
import type { PromptRecord } from '../storage/prompt-store';
import { DRAWINGS } from './drawings';
import { IconButton } from './icon-button';

interface FormProps {
  /** The prompt that is rewritten; null for a new one. */
  readonly known: PromptRecord | null;
  readonly onDone: () => void;
  readonly act: (work: () => Promise<void>) => Promise<boolean>;
}

function PromptForm({ known, onDone, act }: FormProps) {
  const { prompts } = settingsWords.value;
  const [name, setName] = useState(known?.name ?? '');
  const [text, setText] = useState(known?.text ?? '');
  const save = async (): Promise<void> => {
    const isKept = await act(() => keepPrompt(name, text, known ?? undefined));
    if (!isKept) return;
    setName('');
    setText('');
    onDone();
  };
  return (
    <form
      class="data-part prompt-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <h3>{known === null ? prompts.add : prompts.edit}</h3>
      <label class="labelled">
        {prompts.name}
        <input
          class="field"
          type="text"
          maxLength={40}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label class="labelled">
        {prompts.text}
        <textarea
          class="field"
          rows={4}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="button" disabled={name.trim() === '' || text.trim() === ''}>
          {prompts.save}
        </button>
        {known !== null && (
          <button type="button" class="button button-quiet" onClick={onDone}>
            {prompts.cancel}
          </button>
        )}
      </div>
    </form>
  );
}

interface RowProps {
  readonly prompt: PromptRecord;
  readonly onEdit: () => void;
  readonly onRemove: () => void;
}

function PromptRow({ prompt: { name, text }, onEdit, onRemove }: RowProps) {
  const { prompts } = settingsWords.value;
  return (
    <li class="prompt-row">
      <span class="prompt-words">
        <strong dir="auto">{name}</strong>
        <span dir="auto">{text}</span>
      </span>
      <IconButton icon={DRAWINGS.pencil} label={prompts.editOne(name)} onClick={onEdit} />
      <IconButton icon="trash" label={prompts.remove(name)} onClick={onRemove} />
    </li>
  );
}

/** The texts that a slash offers: the person's own, and those that come with the page. */
export function PromptSettings() {
  const { prompts } = settingsWords.value;
  const [edited, setEdited] = useState<PromptRecord | null>(null);
  const [problem, setProblem] = useState('');
  const act = async (work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      setProblem('');
      return true;
    } catch (thrown) {
      console.warn('tabmind could not keep the prompts.', thrown);
      setProblem(words.value.error.texts.storage.title);
      return false;
    }
  };
  useEffect(() => {
    void act(loadPrompts);
  }, []);
  const own = ownPrompts.value ?? [];
  return (
    <>
      <p class="hint">{prompts.hint}</p>
      <ul class="prompt-rows" aria-label={prompts.own}>
        {own.map((prompt) => (
          <PromptRow
            key={prompt.id}
            prompt={prompt}
            onEdit={() => setEdited(prompt)}
            onRemove={() => {
              if (edited?.id === prompt.id) setEdited(null);
              void act(() => removePrompt(prompt.id));
            }}
          />
        ))}
      </ul>
      <p class="hint" role="status">
        {problem}
      </p>
      <PromptForm key={edited?.id ?? ''} known={edited} onDone={() => setEdited(null)} act={act} />
      <section class="data-part">
        <h3>{prompts.builtIn}</h3>
        <p class="hint">{chatWords.value.prompts.builtIn.map(({ name }) => `/${name}`).join(' · ')}</p>
      </section>
    </>
  );
}
