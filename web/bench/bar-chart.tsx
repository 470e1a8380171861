import { type Bar, layOutBars } from './bars';

const ROW = 28;
const LABEL_WIDTH = 165;
const BAR_WIDTH = 140;
const VALUE_WIDTH = 60;

export function BarChart({ title, bars }: { readonly title: string; readonly bars: readonly Bar[] }) {
  const width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
  return (
    <figure class="bench-chart">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${width} ${bars.length * ROW}`} role="img" aria-label={title}>
        {layOutBars(bars, BAR_WIDTH, ROW).map((bar) => (
          <g key={bar.label} transform={`translate(0 ${bar.y})`}>
            <text x={LABEL_WIDTH - 8} y={ROW / 2} class="bench-label">
              {bar.label}
            </text>
            <rect x={LABEL_WIDTH} y={4} width={bar.width} height={ROW - 8} rx={3} />
            <text x={LABEL_WIDTH + bar.width + 6} y={ROW / 2}>
              {bar.text}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}
