import type { BenchReport, CellResult } from './report';
import { cellName } from './report-text';
import { bytesText, numberText, textTable } from './table';

export interface Change {
  readonly what: string;
  readonly before: number;
  readonly after: number;
  /** How many times better (above 1) or worse the second report is. */
  readonly gain: number;
}

export interface Comparison {
  /** Differences of the surroundings that make the numbers another comparison than one of the code. */
  readonly differences: readonly string[];
  readonly changes: readonly Change[];
  /** Cells that only one of the reports has. */
  readonly unmatched: readonly string[];
}

/** Every figure of every cell that both reports have. Throws an Error for something that is no report. */
export function compareReports(before: BenchReport, after: BenchReport): Comparison {
  for (const report of [before, after])
    if (report.format !== 'tabmind-bench-1')
      throw new Error('One of the files is no report of this benchmark.');
  const names = new Set(after.cells.map(cellName));
  const changes = before.cells.flatMap((cell) => {
    const partner = after.cells.find((other) => cellName(other) === cellName(cell));
    return partner ? cellChanges(cell, partner) : [];
  });
  const known = new Set(before.cells.map(cellName));
  return {
    differences: differencesOf(before, after),
    changes: [...stepChanges(before, after), ...changes],
    unmatched: [
      ...[...known].filter((name) => !names.has(name)),
      ...[...names].filter((name) => !known.has(name)),
    ],
  };
}

export function comparisonText({ differences, changes, unmatched }: Comparison): string {
  const rows = changes.map(({ what, before, after, gain }) => [
    what,
    numberText(before),
    numberText(after),
    `${gain >= 1 ? '+' : '−'}${numberText(Math.abs(gain - 1) * 100)} %`,
  ]);
  return [
    ...differences.map((words) => `not the same: ${words}`),
    textTable(['compared', 'A', 'B', 'better by'], rows),
    ...(unmatched.length > 0 ? [`only in one of them: ${unmatched.join(', ')}`] : []),
  ].join('\n');
}

function cellChanges(before: CellResult, after: CellResult): readonly Change[] {
  const name = cellName(before);
  return [
    more(`${name} output tok/s`, before.outputTokensPerSecond, after.outputTokensPerSecond),
    more(`${name} decode tok/s`, before.decodeTokensPerSecond, after.decodeTokensPerSecond),
    more(`${name} prefill tok/s`, before.prefillTokensPerSecond, after.prefillTokensPerSecond),
    ...(['ttft', 'tpot', 'itl', 'e2e'] as const).flatMap((key) => [
      less(`${name} ${key.toUpperCase()} P50, ms`, before[key].p50, after[key].p50),
      less(`${name} ${key.toUpperCase()} P99, ms`, before[key].p99, after[key].p99),
    ]),
  ];
}

function stepChanges(before: BenchReport, after: BenchReport): readonly Change[] {
  const loads = before.loads.flatMap((load) => {
    const partner = after.loads.find(({ from }) => from === load.from);
    return partner ? [less(`load (${load.from}), ms`, load.totalMs, partner.totalMs)] : [];
  });
  const kernels = before.kernels.flatMap(({ kernel, microseconds }) => {
    const partner = after.kernels.find((other) => other.kernel === kernel);
    return partner ? [less(`${kernel}, µs`, microseconds, partner.microseconds)] : [];
  });
  return [...loads, less('dispatches a step', before.step.dispatches, after.step.dispatches), ...kernels];
}

function more(what: string, before: number, after: number): Change {
  return { what, before, after, gain: after / before };
}

function less(what: string, before: number, after: number): Change {
  return { what, before, after, gain: before / after };
}

function differencesOf(before: BenchReport, after: BenchReport): readonly string[] {
  const facts = (report: BenchReport): Readonly<Record<string, string>> => ({
    adapter: `${report.gpu.vendor} ${report.gpu.architecture}`,
    math: report.model.math,
    model: report.model.id,
    bits: `W${report.model.weightBits} KV${report.model.kvBits}`,
    browser: report.userAgent,
    flags: report.browserFlags,
    commit: report.commit,
    'streaming read': `${bytesText(report.step.readBytesPerSecond)}/s`,
  });
  const [a, b] = [facts(before), facts(after)];
  return Object.keys(a).flatMap((key) => (a[key] === b[key] ? [] : [`${key}: ${a[key]} / ${b[key]}`]));
}
