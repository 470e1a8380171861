import { sendKey } from './settings';

/** Old browsers report composition only through this key code. */
const COMPOSING_KEY_CODE = 229;

type KeyPress = Pick<KeyboardEvent, 'key' | 'isComposing' | 'keyCode' | 'shiftKey' | 'ctrlKey' | 'metaKey'>;

/** Whether a key press sends: never while an input method is composing (Chinese, Japanese, Korean). */
export function isSendKey(event: KeyPress): boolean {
  if (event.key !== 'Enter' || event.isComposing || event.keyCode === COMPOSING_KEY_CODE) return false;
  const isModified = event.ctrlKey || event.metaKey;
  return sendKey.value === 'enter' ? !event.shiftKey : isModified;
}
