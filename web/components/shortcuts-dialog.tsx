import { historyWords } from '../i18n/history';
import { type ShortcutName, shortcutKeys } from '../state/shortcuts';
import { Dialog } from './dialog';

const ORDER: readonly ShortcutName[] = [
  'newChat',
  'search',
  'sidebar',
  'stop',
  'editLast',
  'send',
  'newLine',
  'help',
];

/** Every key that does something. */
export function ShortcutsDialog() {
  const text = historyWords.value.shortcuts;
  const keys = shortcutKeys();
  return (
    <Dialog name="shortcuts" title={text.title} class="dialog-small">
      <dl class="shortcuts">
        {ORDER.map((name) => (
          <div key={name}>
            <dt>{text[name]}</dt>
            <dd>
              {keys[name].map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
