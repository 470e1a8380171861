import { type BenchDictionary, benchEn } from '../i18n/bench-en';
import { cellName } from './plan';
import type { BenchReport, CellResult } from './report';
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

/** Every figure of every cell that both reports have. Throws an Error, in `words`, for something that is no report. */
export function compareReports(before: BenchReport, after: BenchReport, words = benchEn): Comparison {
  for (const report of [before, after])
    if (report.format !== 'tabmind-bench-1') throw new Error(words.compare.noReport);
  const names = new Set(after.cells.map(cellName));
  const changes = before.cells.flatMap((cell) => {
    const partner = after.cells.find((other) => cellName(other) === cellName(cell));
    return partner ? cellChanges(cell, partner, words) : [];
  });
  const known = new Set(before.cells.map(cellName));
  return {
    differences: differencesOf(before, after, words),
    changes: [...stepChanges(before, after, words), ...changes],
    unmatched: [
      ...[...known].filter((name) => !names.has(name)),
      ...[...names].filter((name) => !known.has(name)),
    ],
  };
}

/** '+12 %': by how much of itself the first number was bettered. */
export function gainText(gain: number): string {
  return `${gain >= 1 ? '+' : '−'}${numberText(Math.abs(gain - 1) * 100)} %`;
}

/** The comparison for a terminal, in English. */
export function comparisonText({ differences, changes, unmatched }: Comparison): string {
  const rows = changes.map(({ what, before, after, gain }) => [
    what,
    numberText(before),
    numberText(after),
    gainText(gain),
  ]);
  const { compare } = benchEn;
  return [
    ...differences.map(compare.different),
    textTable([compare.compared, 'A', 'B', compare.gain], rows),
    ...(unmatched.length > 0 ? [compare.onlyOne(unmatched.join(', '))] : []),
  ].join('\n');
}

function cellChanges(before: CellResult, after: CellResult, { columns }: BenchDictionary): readonly Change[] {
  const name = cellName(before);
  return [
    more(`${name} ${columns.output}`, before.outputTokensPerSecond, after.outputTokensPerSecond),
    more(`${name} ${columns.decode}`, before.decodeTokensPerSecond, after.decodeTokensPerSecond),
    more(`${name} ${columns.prefill}`, before.prefillTokensPerSecond, after.prefillTokensPerSecond),
    ...(['ttft', 'tpot', 'itl', 'e2e'] as const).flatMap((key) => [
      less(`${name} ${key.toUpperCase()} P50, ms`, before[key].p50, after[key].p50),
      less(`${name} ${key.toUpperCase()} P99, ms`, before[key].p99, after[key].p99),
    ]),
  ];
}

function stepChanges(
  before: BenchReport,
  after: BenchReport,
  { compare, facts }: BenchDictionary,
): readonly Change[] {
  const loads = before.loads.flatMap((load) => {
    const partner = after.loads.find(({ from }) => from === load.from);
    return partner ? [less(`${facts.loads[load.from]}, ms`, load.totalMs, partner.totalMs)] : [];
  });
  const kernels = before.kernels.flatMap(({ kernel, microseconds }) => {
    const partner = after.kernels.find((other) => other.kernel === kernel);
    return partner ? [less(`${kernel}, µs`, microseconds, partner.microseconds)] : [];
  });
  const dispatches = less(compare.dispatches, before.step.dispatches, after.step.dispatches);
  return [...loads, dispatches, ...kernels];
}

function more(what: string, before: number, after: number): Change {
  return { what, before, after, gain: after / before };
}

function less(what: string, before: number, after: number): Change {
  return { what, before, after, gain: before / after };
}

function differencesOf(
  before: BenchReport,
  after: BenchReport,
  { compare, facts: names }: BenchDictionary,
): readonly string[] {
  const facts = (report: BenchReport): Readonly<Record<string, string>> => ({
    [names.adapter]: `${report.gpu.vendor} ${report.gpu.architecture}`,
    [names.arithmetic]: report.model.math,
    [names.model]: report.model.id,
    [compare.bits]: `W${report.model.weightBits} KV${report.model.kvBits}`,
    [names.browser]: report.userAgent,
    [compare.flags]: report.browserFlags,
    [names.commit]: report.commit,
    [names.read]: `${bytesText(report.step.readBytesPerSecond)}/s`,
  });
  const [a, b] = [facts(before), facts(after)];
  return Object.keys(a).flatMap((key) => (a[key] === b[key] ? [] : [`${key}: ${a[key]} / ${b[key]}`]));
}
