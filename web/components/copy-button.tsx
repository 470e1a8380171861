import { useState } from 'preact/hooks';
import { words } from '../i18n/locale';
import { announce } from '../state/announcement';
import { IconButton } from './icon-button';

const CONFIRM_MS = 1600;

/** Copies what `text` returns at the click, and shows for a moment that it did or could not. */
export function CopyButton({ text, label }: { readonly text: () => string; readonly label?: string }) {
  const [outcome, setOutcome] = useState<'none' | 'copied' | 'refused'>('none');
  const { chat } = words.value;
  const show = (next: 'copied' | 'refused'): void => {
    setOutcome(next);
    announce(next === 'copied' ? chat.copied : chat.copyFailed);
    setTimeout(() => setOutcome('none'), CONFIRM_MS);
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      show('copied');
    } catch (thrown) {
      console.warn('tabmind could not copy.', thrown);
      show('refused');
    }
  };
  const icon = outcome === 'copied' ? 'check' : outcome === 'refused' ? 'alert' : 'copy';
  const shown =
    outcome === 'copied' ? chat.copied : outcome === 'refused' ? chat.copyFailed : (label ?? chat.copy);
  return <IconButton icon={icon} label={shown} onClick={() => void copy()} class="copy" />;
}
