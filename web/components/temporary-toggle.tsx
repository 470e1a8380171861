import { chatWords } from '../i18n/chat';
import { openHead, openId } from '../state/conversation';
import { isTemporary } from '../state/temporary';
import { toggleTemporary } from '../state/temporary-chat';
import { DRAWINGS } from './drawings';
import { Icon } from './icon';

/** Makes a new chat temporary, or keeps one that is. A chat that is stored already can only be deleted. */
export function TemporaryToggle() {
  const { temporary } = chatWords.value;
  const isOn = isTemporary(openId.value);
  const isNew = openHead.value.leaf === null;
  if (!isOn && !isNew) return null;
  const hint = isOn ? (isNew ? temporary.on : temporary.keep) : temporary.off;
  return (
    <button
      type="button"
      class={isOn ? 'temporary temporary-on' : 'temporary'}
      aria-pressed={isOn}
      aria-label={temporary.label}
      title={hint}
      onClick={toggleTemporary}
    >
      <Icon name={DRAWINGS.temporary} />
      <span class="temporary-text">{temporary.label}</span>
    </button>
  );
}
