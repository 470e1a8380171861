import { chatWords } from '../i18n/chat';
import { attachFiles } from '../state/attachments';
import { focusComposer } from '../state/message-box';
import { DRAWINGS } from './drawings';
import { IconButton } from './icon-button';

function choose(): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.addEventListener('change', () => void attachFiles([...(input.files ?? [])]).then(focusComposer));
  input.click();
}

/** Chooses text files that go with the next message. */
export function AttachButton() {
  return (
    <IconButton
      icon={DRAWINGS.attach}
      label={chatWords.value.files.attach}
      class="attach-button"
      onClick={choose}
    />
  );
}
