import { useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { openDialog, settingsSection } from '../state/dialog';
import { COMPOSER_ID } from '../state/message-box';
import {
  chosenIndex,
  closePromptMenu,
  forgetClosing,
  isPromptWanted,
  moveChoice,
  type OfferedPrompt,
  offeredPrompts,
  takePrompt,
} from '../state/prompt-menu';
import { loadPrompts } from '../state/prompts';

const LIST_ID = 'prompt-list';
const optionId = (index: number): string => `${LIST_ID}-${index}`;

const messageBox = (): HTMLTextAreaElement | null =>
  document.querySelector<HTMLTextAreaElement>(`#${COMPOSER_ID}`);

/** With the caret behind it: at once, because the next keys may be faster than the box is drawn anew. */
function choose(prompt: OfferedPrompt): void {
  takePrompt(prompt);
  const box = messageBox();
  if (box === null) return;
  box.focus();
  box.value = prompt.text;
  box.setSelectionRange(prompt.text.length, prompt.text.length);
}

/** What a key does in the list; null where it is the message box's own. */
function actOf(event: KeyboardEvent): (() => void) | null {
  const prompt = offeredPrompts.value[chosenIndex.value];
  // keyCode 229: the input method has the key, which Safari says only so
  if (prompt === undefined || event.isComposing || event.keyCode === 229) return null;
  if (event.key === 'ArrowDown') return () => moveChoice(1);
  if (event.key === 'ArrowUp') return () => moveChoice(-1);
  if (event.key === 'Escape') return closePromptMenu;
  const isChoice = event.key === 'Enter' || event.key === 'Tab';
  return isChoice && !event.shiftKey && !event.ctrlKey && !event.metaKey ? () => choose(prompt) : null;
}

/** Heard before the box hears it, and by what is typed rather than what is drawn: keys may be faster than frames. */
function onKeyDown(event: KeyboardEvent): void {
  const act = actOf(event);
  if (act === null) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

/** Tells the message box which list it leads, while the list is open. */
function markBox(index: number | null): void {
  const box = messageBox();
  if (index === null) {
    for (const name of ['autocomplete', 'controls', 'activedescendant']) box?.removeAttribute(`aria-${name}`);
    return;
  }
  box?.setAttribute('aria-autocomplete', 'list');
  box?.setAttribute('aria-controls', LIST_ID);
  box?.setAttribute('aria-activedescendant', optionId(index));
}

function openPromptSettings(): void {
  settingsSection.value = 'prompts';
  openDialog.value = 'settings';
}

/** Saved prompts, above the message box while its text begins with a slash. */
export function PromptMenu() {
  const { prompts } = chatWords.value;
  const offered = offeredPrompts.value;
  const isWanted = isPromptWanted.value;
  const at = offered.length === 0 ? null : chosenIndex.value;
  useSignalEffect(forgetClosing);
  useEffect(() => {
    const box = messageBox();
    box?.addEventListener('keydown', onKeyDown, { capture: true });
    return () => box?.removeEventListener('keydown', onKeyDown, { capture: true });
  }, []);
  useEffect(() => {
    if (!isWanted) return;
    loadPrompts().catch((thrown: unknown) => console.warn('tabmind could not read the prompts.', thrown));
  }, [isWanted]);
  useEffect(() => markBox(at), [at]);
  if (offered.length === 0) return null;
  return (
    // a click must leave the focus in the message box
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are heard in the message box.
    <div class="prompt-menu" onMouseDown={(event) => event.preventDefault()}>
      <div id={LIST_ID} role="listbox" aria-label={prompts.list}>
        {offered.map((prompt, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the keys are heard in the message box.
          <div
            key={prompt.key}
            id={optionId(index)}
            role="option"
            class="prompt-option"
            aria-selected={index === at}
            onClick={() => choose(prompt)}
          >
            <strong dir="auto">{prompt.name}</strong>
            <span class="prompt-text" dir="auto">
              {prompt.text}
            </span>
          </div>
        ))}
      </div>
      <button type="button" class="text-button" onClick={openPromptSettings}>
        {prompts.manage}
      </button>
    </div>
  );
}
