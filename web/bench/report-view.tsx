import { BarChart } from './bar-chart';
import type { BenchReport, CellResult } from './report';
import { cellName, factRows } from './report-text';
import { numberText, percentText } from './table';

export function ReportView({ report }: { readonly report: BenchReport }) {
  return (
    <section class="bench-report" aria-label="Report">
      <h2>Report</h2>
      <button type="button" class="button button-quiet" onClick={() => saveReport(report)}>
        Save as JSON
      </button>
      <table class="bench-facts">
        <tbody>
          {factRows(report).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Throughput cells={report.cells} />
      <Latency cells={report.cells} />
      <div class="bench-charts">
        <BarChart
          title="Output tokens per second"
          bars={bars(report.cells, (c) => c.outputTokensPerSecond)}
        />
        <BarChart title="Time to first token, P50, ms" bars={bars(report.cells, (c) => c.ttft.p50)} />
        <BarChart title="Between tokens, P95, ms" bars={bars(report.cells, (c) => c.itl.p95)} />
        <BarChart title="Share of the memory roof, %" bars={bars(report.cells, (c) => c.roofShare * 100)} />
        {report.kernels.length > 0 && (
          <BarChart
            title="Kernels of a decode step, µs"
            bars={report.kernels.map(({ kernel, launches, microseconds }) => ({
              label: `${kernel} × ${launches}`,
              value: microseconds,
              text: numberText(microseconds),
            }))}
          />
        )}
      </div>
    </section>
  );
}

function bars(cells: readonly CellResult[], pickValue: (cell: CellResult) => number) {
  return cells.map((cell) => {
    const value = pickValue(cell);
    return { label: cellName(cell), value, text: numberText(value) };
  });
}

function Throughput({ cells }: { readonly cells: readonly CellResult[] }) {
  const head = [
    'cell',
    'input tok/s',
    'output tok/s',
    'req/s',
    'prefill tok/s',
    'decode tok/s',
    'of the roof',
  ];
  return (
    <Numbers
      head={head}
      rows={cells.map((cell) => [
        cellName(cell),
        numberText(cell.inputTokensPerSecond),
        numberText(cell.outputTokensPerSecond),
        numberText(cell.requestsPerSecond),
        numberText(cell.prefillTokensPerSecond),
        numberText(cell.decodeTokensPerSecond),
        percentText(cell.roofShare),
      ])}
    />
  );
}

function Latency({ cells }: { readonly cells: readonly CellResult[] }) {
  const rows = cells.flatMap((cell) =>
    (['ttft', 'tpot', 'itl', 'e2e'] as const).map((key) => {
      const { mean, p50, p75, p95, p99 } = cell[key];
      return [`${cellName(cell)} ${key.toUpperCase()}`, ...[mean, p50, p75, p95, p99].map(numberText)];
    }),
  );
  return <Numbers head={['latency, ms', 'mean', 'P50', 'P75', 'P95', 'P99']} rows={rows} />;
}

interface NumbersProps {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function Numbers({ head, rows }: NumbersProps) {
  return (
    <div class="bench-scroll">
      <table class="bench-numbers">
        <thead>
          <tr>
            {head.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, ...values]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {values.map((value, column) => (
                <td key={head[column + 1]}>{value}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function saveReport(report: BenchReport): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(report, null, 1)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `tabmind-bench-${report.date.slice(0, 19).replaceAll(':', '-')}.json`;
  link.click();
  URL.revokeObjectURL(url);
}
