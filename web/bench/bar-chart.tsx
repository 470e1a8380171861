import { type Bar, layOutBars } from './bars';

const ROW = 28;
const WIDTH = 365;
/** Of the longest label, a kernel's name. */
const MAX_LABEL_WIDTH = 165;
const LETTER_WIDTH = 7.5;
const LABEL_GAP = 12;
const VALUE_WIDTH = 60;

export function BarChart({ title, bars }: { readonly title: string; readonly bars: readonly Bar[] }) {
  const numLetters = Math.max(0, ...bars.map(({ label }) => label.length));
  const labelWidth = Math.min(MAX_LABEL_WIDTH, LABEL_GAP + LETTER_WIDTH * numLetters);
  const barWidth = WIDTH - labelWidth - VALUE_WIDTH;
  return (
    <figure class="bench-chart">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${bars.length * ROW}`} role="img" aria-label={title}>
        {layOutBars(bars, barWidth, ROW).map((bar) => (
          <g key={bar.label} transform={`translate(0 ${bar.y})`}>
            <text x={0} y={ROW / 2} class="bench-label">
              {bar.label}
            </text>
            <rect x={labelWidth} y={4} width={bar.width} height={ROW - 8} rx={3} />
            <text x={labelWidth + bar.width + 6} y={ROW / 2}>
              {bar.text}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
