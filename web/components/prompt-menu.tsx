import { useEffect, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { openDialog, settingsSection } from '../state/dialog';
import { setDraft } from '../state/drafts';
import { COMPOSER_ID } from '../state/message-box';
import { closePromptMenu, isPromptWanted, type OfferedPrompt, offeredPrompts } from '../state/prompt-menu';
import { loadPrompts } from '../state/prompts';

const LIST_ID = 'prompt-list';
const optionId = (index: number): string => `${LIST_ID}-${index}`;

const messageBox = (): HTMLTextAreaElement | null =>
  document.querySelector<HTMLTextAreaElement>(`#${COMPOSER_ID}`);

/** The text takes the place of what was typed, with the caret behind it. */
function choose({ text }: OfferedPrompt): void {
  setDraft(text);
  const box = messageBox();
  box?.focus();
  // once the box holds the new text
  setTimeout(() => box?.setSelectionRange(text.length, text.length));
}

/** Keys in the message box that belong to the open list, heard before the box itself hears them. */
function actOf(event: KeyboardEvent, at: number, offered: readonly OfferedPrompt[]): (() => number) | null {
  const { key } = event;
  if (key === 'ArrowDown') return () => (at + 1) % offered.length;
  if (key === 'ArrowUp') return () => (at + offered.length - 1) % offered.length;
  const close = (act: () => void) => () => {
    act();
    return 0;
  };
  if (key === 'Escape') return close(closePromptMenu);
  const prompt = offered[at];
  const isChoice = (key === 'Enter' || key === 'Tab') && !event.shiftKey && !event.ctrlKey && !event.metaKey;
  return isChoice && prompt !== undefined ? close(() => choose(prompt)) : null;
}

/** Tells the message box which list it leads, and hears its keys, while the list is open. */
function useMessageBox(offered: readonly OfferedPrompt[], at: number, setAt: (index: number) => void): void {
  useEffect(() => {
    const box = messageBox();
    if (box === null || offered.length === 0) return;
    const onKeyDown = (event: KeyboardEvent): void => {
      // keyCode 229: the input method has the key, which Safari says only so
      if (event.isComposing || event.keyCode === 229) return;
      const act = actOf(event, at, offered);
      if (act === null) return;
      event.preventDefault();
      event.stopPropagation();
      setAt(act());
    };
    box.addEventListener('keydown', onKeyDown, { capture: true });
    box.setAttribute('aria-autocomplete', 'list');
    box.setAttribute('aria-controls', LIST_ID);
    box.setAttribute('aria-activedescendant', optionId(at));
    return () => {
      box.removeEventListener('keydown', onKeyDown, { capture: true });
      for (const name of ['autocomplete', 'controls', 'activedescendant'])
        box.removeAttribute(`aria-${name}`);
    };
  }, [offered, at]);
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
  const [chosen, setChosen] = useState(0);
  const at = Math.min(chosen, Math.max(0, offered.length - 1));
  useEffect(() => setChosen(0), [offered]);
  useEffect(() => {
    if (!isWanted) return;
    loadPrompts().catch((thrown: unknown) => console.warn('tabmind could not read the prompts.', thrown));
  }, [isWanted]);
  useMessageBox(offered, at, setChosen);
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
