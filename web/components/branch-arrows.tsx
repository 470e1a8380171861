import { useEffect, useRef } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { formatCount } from '../i18n/format';
import { announce } from '../state/announcement';
import { showBranch, versionsOf } from '../state/branches';
import type { Message } from '../state/message';
import { DRAWINGS } from './drawings';
import { IconButton } from './icon-button';

type Direction = 'before' | 'after';

/** The arrow that was pressed is drawn anew with the other version; it gets the focus back. */
let pressed: { readonly id: string; readonly direction: Direction } | null = null;

/** "‹ 2 / 3 ›": the versions of a message, where there are several. */
export function BranchArrows({ message }: { readonly message: Message }) {
  const box = useRef<HTMLSpanElement>(null);
  const versions = versionsOf(message);
  const at = versions.findIndex(({ id }) => id === message.id);
  useEffect(() => {
    if (pressed?.id !== message.id) return;
    box.current?.querySelector<HTMLElement>(`.branch-${pressed.direction}`)?.focus();
    pressed = null;
  }, [message.id]);
  if (versions.length < 2) return null;
  const { turn } = chatWords.value;
  const numbers = [formatCount(at + 1), formatCount(versions.length)] as const;
  const go = (direction: Direction): void => {
    const next = versions[direction === 'before' ? at - 1 : at + 1];
    if (next === undefined) return;
    pressed = { id: next.id, direction };
    showBranch(next.id);
    announce(turn.versionLabel(formatCount(versions.indexOf(next) + 1), numbers[1]));
  };
  return (
    <span class="branch" ref={box}>
      <IconButton
        icon={DRAWINGS.branchBefore}
        label={turn.before}
        class="branch-before"
        isOff={at === 0}
        onClick={() => go('before')}
      />
      <span class="branch-at">{turn.version(...numbers)}</span>
      <IconButton
        icon={DRAWINGS.branchNext}
        label={turn.after}
        class="branch-after"
        isOff={at === versions.length - 1}
        onClick={() => go('after')}
      />
    </span>
  );
}
