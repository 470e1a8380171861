/** Which turns of a branch are drawn, counted from its end, so that it stays right while the branch grows. */
export interface TurnWindow {
  /** Turns from the first that is drawn to the end of the branch. */
  readonly numShown: number;
  /** Turns at the end that are not drawn; 0 except far from there. */
  readonly numLater: number;
}

/** Turns that are drawn at first, and with every step: a chat of thousands opens as fast as a short one. */
const STEP = 60;

export const AT_END: TurnWindow = { numShown: STEP, numLater: 0 };

export const withEarlier = ({ numShown, numLater }: TurnWindow): TurnWindow => ({
  numShown: numShown + STEP,
  numLater,
});

export const withLater = ({ numShown, numLater }: TurnWindow): TurnWindow => ({
  numShown,
  numLater: Math.max(0, numLater - STEP),
});

/** The same window where it shows turn `at` of `numTurns`; else one around it, and to the end where that is near. */
export function windowAround(window: TurnWindow, at: number, numTurns: number): TurnWindow {
  const fromEnd = numTurns - at;
  if (fromEnd <= window.numShown && fromEnd > window.numLater) return window;
  return { numShown: fromEnd + STEP / 2, numLater: fromEnd <= STEP ? 0 : fromEnd - STEP / 2 };
}

/** The part of `turns` that is drawn. */
export function turnsIn<Turn>({ numShown, numLater }: TurnWindow, turns: readonly Turn[]): readonly Turn[] {
  return turns.slice(Math.max(0, turns.length - numShown), Math.max(0, turns.length - numLater));
}
