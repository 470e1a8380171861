import { isDrawerOpen } from './dialog';
import { isNarrow } from './screen';
import { isSidebarOpen } from './settings';

/** Shows or hides the list of chats: beside the chat, or over it on a small screen. */
export function toggleSidebar(): void {
  const isOpen = isNarrow.value ? isDrawerOpen : isSidebarOpen;
  isOpen.value = !isOpen.value;
}
