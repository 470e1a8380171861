/** How long a message that was looked for stands out. */
const FOUND_MS = 2_000;
/** What a reader does who wants to look elsewhere. */
const MOVES = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const;

export const turnId = (message: string): string => `turn-${message}`;

/**
 * Brings a message into view, gives it the focus and marks it for a moment. What is drawn only when it comes near may
 * change the height of what is above, so the message is held in its place meanwhile, unless the reader moves.
 *
 * @returns lets go of it at once
 */
export function showFound(turn: HTMLElement, scroller: HTMLElement, content: HTMLElement): () => void {
  const show = (): void => {
    const isTall = turn.offsetHeight > 0.8 * scroller.clientHeight;
    turn.scrollIntoView({ block: isTall ? 'start' : 'center', behavior: 'instant' });
  };
  const observer = new ResizeObserver(show);
  const letGo = (): void => {
    observer.disconnect();
    for (const move of MOVES) scroller.removeEventListener(move, letGo);
  };
  show();
  observer.observe(content);
  for (const move of MOVES) scroller.addEventListener(move, letGo, { passive: true });
  turn.classList.add('turn-found');
  turn.tabIndex = -1;
  // after the message box, which takes the focus with every other chat
  setTimeout(() => turn.focus({ preventScroll: true }));
  const timer = setTimeout(end, FOUND_MS);
  function end(): void {
    clearTimeout(timer);
    letGo();
    turn.classList.remove('turn-found');
  }
  return end;
}
