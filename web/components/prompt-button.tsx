import { chatWords } from '../i18n/chat';
import { openHead } from '../state/conversation';
import { openDialog, settingsSection } from '../state/dialog';
import { DRAWINGS } from './drawings';
import { IconButton } from './icon-button';

/** Opens the system prompt of the conversation on screen, and shows that there is one. */
export function PromptButton() {
  const { prompt } = chatWords.value;
  const hasPrompt = openHead.value.systemPrompt.trim() !== '';
  return (
    <IconButton
      icon={DRAWINGS.instructions}
      label={hasPrompt ? prompt.set : prompt.none}
      class={hasPrompt ? 'prompt-button prompt-button-set' : 'prompt-button'}
      hasPopup="dialog"
      onClick={() => {
        settingsSection.value = 'chat';
        openDialog.value = 'settings';
      }}
    />
  );
}
