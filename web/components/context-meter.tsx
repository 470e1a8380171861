import { chatWords } from '../i18n/chat';
import { formatCompact, formatCount } from '../i18n/format';
import { contextUse } from '../state/context';
import { openHead } from '../state/conversation';
import { ContextChoice } from './context-choice';

/** From this share on the person is asked what to do when it is full. */
const NEARLY_FULL = 0.85;
const MENU_ID = 'context-menu';

/** "1,024", but "32.8K". */
const short = (count: number): string => (count < 10_000 ? formatCount(count) : formatCompact(count));

/** How much of what the model can read at once this conversation takes; opens the choice of what happens when it is full. */
export function ContextMeter() {
  const use = contextUse.value;
  if (use === null || openHead.value.leaf === null) return null;
  const { context } = chatWords.value;
  const { usedTokens, maxTokens } = use;
  const share = Math.min(1, usedTokens / maxTokens);
  const label = context.label(formatCount(usedTokens), formatCount(maxTokens));
  const isNearlyFull = share >= NEARLY_FULL;
  return (
    <>
      <button
        type="button"
        class={isNearlyFull ? 'context context-full' : 'context'}
        popovertarget={MENU_ID}
        aria-label={label}
        title={label}
      >
        <svg class="context-ring" viewBox="0 0 20 20" aria-hidden="true">
          <circle class="context-whole" cx="10" cy="10" r="8" pathLength={100} />
          <circle
            class="context-part"
            cx="10"
            cy="10"
            r="8"
            pathLength={100}
            stroke-dasharray={`${100 * share} 100`}
          />
        </svg>
        {context.short(short(usedTokens), short(maxTokens))}
      </button>
      <div id={MENU_ID} class="actions panel" popover="auto" role="dialog" aria-label={label}>
        <p>{label}</p>
        <ContextChoice />
      </div>
    </>
  );
}
