import { changeHead } from './archive';
import { children, messages, openId } from './conversation';
import type { Message } from './message';
import { deepestFrom, siblingsOf } from './message-tree';

/** The versions of a message of the open conversation, oldest first. */
export const versionsOf = (message: Message): readonly Message[] =>
  siblingsOf(messages.value, children.value, message);

/** Shows the newest branch through `id` in the open conversation. */
export function showBranch(id: string): void {
  changeHead(openId.value, { leaf: deepestFrom(children.value, id) });
}
