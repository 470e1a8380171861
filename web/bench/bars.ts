/** A horizontal bar chart, worked out and not yet drawn. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands at the end of the bar. */
  readonly text: string;
}

export interface BarGeometry extends Bar {
  readonly y: number;
  readonly width: number;
}

/** Widths in proportion to the values, the largest `maxWidth` wide; rows `rowHeight` apart. */
export function layOutBars(
  bars: readonly Bar[],
  maxWidth: number,
  rowHeight: number,
): readonly BarGeometry[] {
  const most = Math.max(0, ...bars.map(({ value }) => value));
  return bars.map((bar, i) => ({
    ...bar,
    y: i * rowHeight,
    width: most > 0 ? (Math.max(0, bar.value) / most) * maxWidth : 0,
  }));
}
