import { signal } from '@preact/signals';

const narrow = matchMedia('(max-width: 52rem)');

/** Too small for a list of chats beside the chat. */
export const isNarrow = signal(narrow.matches);
narrow.addEventListener('change', ({ matches }) => {
  isNarrow.value = matches;
});
