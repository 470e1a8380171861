/** What must hold of every report, whatever the machine. */

import type { Engine, RandomShape } from '../../src/index';
import type { Distribution } from '../../web/bench/distribution';
import type { BenchReport, CellResult } from '../../web/bench/report';

export interface Check {
  readonly name: string;
  readonly passed: boolean;
}

export function checkReport(report: BenchReport, requestsPerLane: number): readonly Check[] {
  const { loads, step, memory, gpu, kernels } = report;
  return [
    check('a load converts and the next one reads the cache', sources(report) === 'checkpoint,cache'),
    check(
      'loads took time and moved bytes',
      loads.every(({ bytes, weightsMs, totalMs }) => bytes > 0 && weightsMs > 0 && weightsMs <= totalMs),
    ),
    check('memory has sizes', memory.weightBytes > 0 && memory.kvBytes > 0 && memory.scratchBytes > 0),
    check(
      'a step reads no more than all weights',
      step.weightBytes > 0 && step.weightBytes <= memory.weightBytes,
    ),
    check('dispatches and bindings are counted', step.dispatches > 0 && step.bindingsPerDispatch > 0),
    check('the memory has a read speed', step.readBytesPerSecond > 0),
    ...report.cells.flatMap((cell) => checkCell(cell, requestsPerLane)),
    check(
      'kernels are timed where there are timestamps',
      !gpu.features.includes('timestamp-query') ||
        kernels.reduce((sum, { launches }) => sum + launches, 0) === step.dispatches,
    ),
  ];
}

/** A random model runs, and its activations stay of the size that a real model's have. */
export async function checkRandom(engine: Engine): Promise<readonly Check[]> {
  const shape: RandomShape = 'qwen2.5-0.5b';
  const model = { kind: 'random', id: `random:${shape}`, shape } as const;
  const { parameters } = await engine.load(model, { contextLength: 32, maxSequences: 1 });
  const { logits } = await engine.score({ ids: [1, 2, 3], positions: 'last' });
  const { ids } = await engine.generate({ ids: [4], max_tokens: 2, temperature: 0, ignore_eos: true });
  const deviation = Math.sqrt(logits.reduce((sum, logit) => sum + logit * logit, 0) / logits.length);
  return [
    check('random:qwen2.5-0.5b has the parameters of the model', parameters === 494_032_768),
    // rows of deviation 1 / sqrt(cols) on a normed vector
    check('its logits deviate by about 1', deviation > 0.8 && deviation < 1.25),
    check('it generates what was asked for', ids.length === 2),
  ];
}

function checkCell(cell: CellResult, requestsPerLane: number): readonly Check[] {
  const { concurrency, promptTokens, completionTokens, requests, ttft, tpot, itl, e2e } = cell;
  const name = `${concurrency} × ${promptTokens}:${completionTokens}`;
  const numbers = [
    cell.wallMs,
    cell.inputTokensPerSecond,
    cell.outputTokensPerSecond,
    cell.bytesPerToken,
    cell.roofShare,
  ];
  const total = (one: Distribution) => one.count * one.mean;
  return [
    check(`${name}: every request ended`, requests === concurrency * requestsPerLane),
    check(`${name}: every token arrived`, itl.count === requests * (completionTokens - 1)),
    check(`${name}: percentiles rise`, [ttft, tpot, itl, e2e].every(rises)),
    check(
      `${name}: TTFT and times between tokens add up to E2E`,
      Math.abs(total(ttft) + total(itl) - total(e2e)) < 1e-6 * total(e2e),
    ),
    check(`${name}: no request took longer than all`, e2e.p99 <= cell.wallMs),
    check(
      `${name}: rates are positive`,
      numbers.every((value) => Number.isFinite(value) && value > 0),
    ),
  ];
}

function rises({ p50, p75, p95, p99 }: Distribution): boolean {
  return p50 >= 0 && p50 <= p75 && p75 <= p95 && p95 <= p99;
}

function sources({ loads }: BenchReport): string {
  return loads.map(({ from }) => from).join();
}

function check(name: string, passed: boolean): Check {
  return { name, passed };
}
