import { formatCount } from '../i18n/format';
import { historyWords } from '../i18n/history';
import { generating, openId } from '../state/conversation';
import { isDrawerOpen } from '../state/dialog';
import { type Head, storedHeads } from '../state/heads';
import { isListed, numUnknown, openConversation } from '../state/history';
import { groupHeads } from '../state/history-groups';
import { renaming } from '../state/history-menu';
import { HistoryMenuButton } from './history-menu';
import { RenameField } from './rename-field';

function HistoryItem({ head }: { readonly head: Head }) {
  const text = historyWords.value;
  const isOpen = head.id === openId.value;
  if (renaming.value === head.id) return <RenameField head={head} />;
  return (
    <li class={isOpen ? 'history-item history-item-open' : 'history-item'}>
      <button
        type="button"
        class="history-title"
        {...(isOpen ? { 'aria-current': 'page' as const } : {})}
        onClick={() => {
          isDrawerOpen.value = false;
          void openConversation(head.id);
        }}
      >
        <span class="history-name" dir="auto">
          {head.title || text.unnamed}
        </span>
        {generating.value.has(head.id) && (
          <span class="pulse" role="img" aria-label={text.generating} title={text.generating} />
        )}
      </button>
      <HistoryMenuButton head={head} />
    </li>
  );
}

/** Every conversation, by date. */
export function HistoryList() {
  const text = historyWords.value;
  const groups = groupHeads(storedHeads(), Date.now());
  if (!isListed.value) return null;
  return (
    <div class="history">
      {groups.length === 0 && <p class="history-none">{text.none}</p>}
      {groups.map((group) => (
        <section key={group.name} aria-labelledby={`history-${group.name}`}>
          <h3 id={`history-${group.name}`}>
            {group.name === 'pinned' ? text.pinned : text.groups[group.name]}
          </h3>
          <ul>
            {group.heads.map((head) => (
              <HistoryItem key={head.id} head={head} />
            ))}
          </ul>
        </section>
      ))}
      {numUnknown.value > 0 && <p class="history-none">{text.unknown(formatCount(numUnknown.value))}</p>}
    </div>
  );
}
