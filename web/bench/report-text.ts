import { type BenchDictionary, benchEn } from '../i18n/bench-en';
import type { Distribution } from './distribution';
import { cellName } from './plan';
import type { BenchReport, CellResult, LoadResult } from './report';
import { bytesText, numberText, percentText, textTable } from './table';

/** The report for a terminal, in English. */
export function reportText(report: BenchReport): string {
  const parts = [factsText(report), throughputText(report.cells), latencyText(report.cells)];
  if (report.kernels.length > 0) parts.push(kernelText(report));
  return parts.join('\n\n');
}

/** Name and value of all that surrounds the numbers. */
export function factRows(
  report: BenchReport,
  { facts }: BenchDictionary,
): readonly (readonly [name: string, value: string])[] {
  const { gpu, model, memory, step } = report;
  return [
    [facts.adapter, `${gpu.vendor} ${gpu.architecture} ${gpu.description}`.trim()],
    [facts.features, gpu.features.join(', ') || facts.none],
    [facts.arithmetic, facts.subgroups(model.math, String(gpu.subgroupSize))],
    [facts.browser, [report.userAgent, report.browserFlags].filter(Boolean).join(' ')],
    [facts.commit, report.commit || facts.unknown],
    [
      facts.model,
      facts.modelText(
        model.id,
        numberText(model.parameters / 1e6),
        `W${model.weightBits} KV${model.kvBits}`,
        String(model.contextLength),
      ),
    ],
    [
      facts.memory,
      facts.memoryText(
        bytesText(memory.weightBytes),
        bytesText(memory.kvBytes),
        bytesText(memory.scratchBytes),
      ),
    ],
    ...report.loads.map((load) => loadRow(load, facts)),
    [
      facts.step,
      facts.stepText(
        String(step.dispatches),
        String(step.bindingsPerDispatch),
        bytesText(step.weightBytes),
        bytesText(step.kvBytesPerToken),
      ),
    ],
    [facts.read, `${bytesText(step.readBytesPerSecond)}/s`],
  ];
}

function loadRow(load: LoadResult, facts: BenchDictionary['facts']): readonly [string, string] {
  const text = facts.loadText(
    numberText(load.totalMs),
    numberText(load.weightsMs),
    bytesText(load.bytes),
    bytesText(load.bytesPerSecond),
  );
  return [facts.loads[load.from], text];
}

function factsText(report: BenchReport): string {
  return factRows(report, benchEn)
    .map(([name, value]) => `${name.padEnd(18)} ${value}`)
    .join('\n');
}

function throughputText(cells: readonly CellResult[]): string {
  const { throughput, requests, input, output, rate, prefill, decode, bytes, roof } = benchEn.columns;
  const head = [throughput, requests, input, output, rate, prefill, decode, bytes, roof];
  return textTable(
    head,
    cells.map((cell) => [
      cellName(cell),
      String(cell.requests),
      numberText(cell.inputTokensPerSecond),
      numberText(cell.outputTokensPerSecond),
      numberText(cell.requestsPerSecond),
      numberText(cell.prefillTokensPerSecond),
      numberText(cell.decodeTokensPerSecond),
      numberText(cell.bytesPerToken / 1e6),
      percentText(cell.roofShare),
    ]),
  );
}

function latencyText(cells: readonly CellResult[]): string {
  const row = (name: string, { mean, p50, p75, p95, p99 }: Distribution) => [
    name,
    ...[mean, p50, p75, p95, p99].map(numberText),
  ];
  return textTable(
    [benchEn.columns.latency, benchEn.columns.mean, 'P50', 'P75', 'P95', 'P99'],
    cells.flatMap((cell) => [
      row(`${cellName(cell)} TTFT`, cell.ttft),
      row(`${cellName(cell)} TPOT`, cell.tpot),
      row(`${cellName(cell)} ITL`, cell.itl),
      row(`${cellName(cell)} E2E`, cell.e2e),
    ]),
  );
}

function kernelText({ kernels }: BenchReport): string {
  const total = kernels.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const { kernels: title, launches, share } = benchEn.columns;
  return textTable(
    [title, launches, 'µs', share],
    kernels.map(({ kernel, launches: count, microseconds }) => [
      kernel,
      String(count),
      numberText(microseconds),
      percentText(total > 0 ? microseconds / total : 0),
    ]),
  );
}
