import { settingsWords } from '../i18n/settings';
import { changeHead } from '../state/archive';
import { openHead, openId } from '../state/conversation';
import { keepPreset, presets, removePreset } from '../state/presets';
import { ContextChoice } from './context-choice';
import { IconButton } from './icon-button';

function setPrompt(systemPrompt: string): void {
  changeHead(openId.value, { systemPrompt });
}

function Presets() {
  const { chat } = settingsWords.value;
  return (
    <fieldset class="choice presets">
      <legend>{chat.presets}</legend>
      {chat.builtIn.map(({ name, text }) => (
        <button key={name} type="button" class="chip" title={text} onClick={() => setPrompt(text)}>
          {name}
        </button>
      ))}
      {presets.value.map(({ name, text }) => (
        <span key={name} class="preset">
          <button type="button" class="chip" title={text} onClick={() => setPrompt(text)}>
            {name}
          </button>
          <IconButton icon="close" label={chat.remove(name)} onClick={() => removePreset(name)} />
        </span>
      ))}
    </fieldset>
  );
}

/** The system prompt of the conversation on screen, and what happens when it grows too long. */
export function ChatSettings() {
  const { chat } = settingsWords.value;
  const prompt = openHead.value.systemPrompt;
  const isKept =
    prompt.trim() === '' || [...chat.builtIn, ...presets.value].some(({ text }) => text === prompt);
  return (
    <>
      <label class="labelled">
        {chat.prompt}
        <span class="hint">{chat.promptHint}</span>
        <textarea
          class="field prompt"
          rows={6}
          placeholder={chat.placeholder}
          value={prompt}
          onInput={(event) => setPrompt(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="button" class="text-button" disabled={isKept} onClick={() => keepPreset(prompt)}>
          {chat.keep}
        </button>
        <button type="button" class="text-button" disabled={prompt === ''} onClick={() => setPrompt('')}>
          {chat.clear}
        </button>
      </div>
      <Presets />
      <ContextChoice />
    </>
  );
}
