import { CopyButton } from '../components/copy-button';
import { benchWords } from '../i18n/bench';
import { BarChart } from './bar-chart';
import { cellName } from './plan';
import type { BenchReport, CellResult } from './report';
import { factRows } from './report-text';
import { numberText, percentText } from './table';

export function ReportView({ report }: { readonly report: BenchReport }) {
  const words = benchWords.value;
  return (
    <section class="bench-report" aria-label={words.report.title}>
      <h2>{words.report.title}</h2>
      <div class="bench-actions">
        <button type="button" class="button button-quiet" onClick={() => saveReport(report)}>
          {words.report.save}
        </button>
        <CopyButton text={() => reportJson(report)} label={words.report.copy} />
      </div>
      <dl class="bench-facts">
        {factRows(report, words).map(([name, value], index) => (
          <div key={index}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Throughput cells={report.cells} />
      <Latency cells={report.cells} />
      <Charts report={report} />
    </section>
  );
}

function Charts({ report: { cells, kernels } }: { readonly report: BenchReport }) {
  const { charts } = benchWords.value;
  return (
    <div class="bench-charts">
      <BarChart title={charts.output} bars={bars(cells, (cell) => cell.outputTokensPerSecond)} />
      <BarChart title={charts.ttft} bars={bars(cells, (cell) => cell.ttft.p50)} />
      <BarChart title={charts.itl} bars={bars(cells, (cell) => cell.itl.p95)} />
      <BarChart title={charts.roof} bars={bars(cells, (cell) => cell.roofShare * 100)} />
      {kernels.length > 0 && (
        <BarChart
          title={charts.kernels}
          bars={kernels.map(({ kernel, launches, microseconds }) => ({
            label: `${kernel} × ${launches}`,
            value: microseconds,
            text: numberText(microseconds),
          }))}
        />
      )}
    </div>
  );
}

function bars(cells: readonly CellResult[], pickValue: (cell: CellResult) => number) {
  return cells.map((cell) => {
    const value = pickValue(cell);
    return { label: cellName(cell), value, text: numberText(value) };
  });
}

function Throughput({ cells }: { readonly cells: readonly CellResult[] }) {
  const { throughput, input, output, rate, prefill, decode, roof } = benchWords.value.columns;
  const head = [throughput, input, output, rate, prefill, decode, roof];
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
  const { latency, mean } = benchWords.value.columns;
  return <Numbers head={[latency, mean, 'P50', 'P75', 'P95', 'P99']} rows={rows} />;
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

const reportJson = (report: BenchReport): string => JSON.stringify(report, null, 1);

function saveReport(report: BenchReport): void {
  const url = URL.createObjectURL(new Blob([reportJson(report)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `tabmind-bench-${report.date.slice(0, 19).replaceAll(':', '-')}.json`;
  link.click();
  URL.revokeObjectURL(url);
}
