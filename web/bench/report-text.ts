import type { Distribution } from './distribution';
import type { CellPlan } from './plan';
import type { BenchReport, CellResult } from './report';
import { bytesText, numberText, percentText, textTable } from './table';

/** '8 × 128:128' */
export function cellName({ concurrency, promptTokens, completionTokens }: CellPlan): string {
  return `${concurrency} × ${promptTokens}:${completionTokens}`;
}

/** The report for a terminal. */
export function reportText(report: BenchReport): string {
  const parts = [factsText(report), throughputText(report.cells), latencyText(report.cells)];
  if (report.kernels.length > 0) parts.push(kernelText(report));
  return parts.join('\n\n');
}

export function factRows(report: BenchReport): readonly (readonly [string, string])[] {
  const { gpu, model, memory, step, loads } = report;
  return [
    ['adapter', `${gpu.vendor} ${gpu.architecture} ${gpu.description}`.trim()],
    ['features', gpu.features.join(', ') || 'none'],
    ['math', `${model.math}, subgroups of ${gpu.subgroupSize}`],
    ['browser', [report.userAgent, report.browserFlags].filter(Boolean).join(' ')],
    ['commit', report.commit || 'unknown'],
    [
      'model',
      `${model.id}: ${numberText(model.parameters / 1e6)} M parameters, W${model.weightBits} KV${model.kvBits}, context ${model.contextLength}`,
    ],
    [
      'GPU memory',
      `${bytesText(memory.weightBytes)} weights, ${bytesText(memory.kvBytes)} KV pool, ${bytesText(memory.scratchBytes)} scratch`,
    ],
    ...loads.map((load): [string, string] => [
      `load (${load.from})`,
      `${numberText(load.totalMs)} ms, weights after ${numberText(load.weightsMs)} ms: ${bytesText(load.bytes)} at ${bytesText(load.bytesPerSecond)}/s`,
    ]),
    [
      'a decode step',
      `${step.dispatches} dispatches of ${step.bindingsPerDispatch} bindings, ${bytesText(step.weightBytes)} of weights and ${bytesText(step.kvBytesPerToken)} a cached token`,
    ],
    ['streaming read', `${bytesText(step.readBytesPerSecond)}/s`],
  ];
}

function factsText(report: BenchReport): string {
  return factRows(report)
    .map(([name, value]) => `${name.padEnd(18)} ${value}`)
    .join('\n');
}

function throughputText(cells: readonly CellResult[]): string {
  const head = [
    'throughput',
    'requests',
    'input tok/s',
    'output tok/s',
    'req/s',
    'prefill tok/s',
    'decode tok/s',
    'MB/token',
    'of the roof',
  ];
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
    ['latency, ms', 'mean', 'P50', 'P75', 'P95', 'P99'],
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
  return textTable(
    ['kernels of a step', 'launches', 'µs', 'share'],
    kernels.map(({ kernel, launches, microseconds }) => [
      kernel,
      String(launches),
      numberText(microseconds),
      percentText(total > 0 ? microseconds / total : 0),
    ]),
  );
}
