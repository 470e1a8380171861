import type { Engine, EngineStats, GpuInfo, LoadOptions } from '../../src/index';
import { measureCell } from './cell';
import { timeKernels } from './kernel-times';
import { timeLoad, withRoom } from './load';
import { type BenchPlan, neededSizes } from './plan';
import { Prompts } from './prompt';
import type { BenchReport, CellResult, LoadResult, StepFacts } from './report';
import type { BenchStage } from './stage';

export interface BenchHooks {
  readonly onStage?: (stage: BenchStage) => void;
  readonly onCell?: (cell: CellResult) => void;
  readonly signal?: AbortSignal;
}

/** Set by the build (web/commit.mjs). */
const commit: string = import.meta.env.VITE_COMMIT ?? '';

/** Load, measure every cell, and report. Throws what the engine throws, or the signal's reason. */
export async function runBench(
  engine: Engine,
  plan: BenchPlan,
  hooks: BenchHooks = {},
): Promise<BenchReport> {
  const { signal, onStage } = hooks;
  const options = await withRoom(engine, plan.model, { ...neededSizes(plan.cells), ...plan.options });
  const { scratchBytes } = await engine.inspect(plan.model, options);
  const loads = await loadAll(engine, plan, options, hooks);
  const { stats, gpu, model } = await loaded(engine);
  if (plan.vendor !== undefined && gpu.vendor !== plan.vendor)
    throw new Error(`The adapter is of ${gpu.vendor}, not of ${plan.vendor}.`);
  onStage?.({ kind: 'reading' });
  const readBytesPerSecond = await warmReadSpeed(engine);
  const step = stepFacts(stats, readBytesPerSecond);
  const prompts = new Prompts(model.vocabSize, plan.seed);
  const cells: CellResult[] = [];
  for (const [index, cell] of plan.cells.entries()) {
    signal?.throwIfAborted();
    onStage?.({ kind: 'cell', index: index + 1, total: plan.cells.length, cell });
    const result = await measureCell(cell, {
      engine,
      prompts,
      requestsPerLane: plan.requestsPerLane,
      step,
      signal,
    });
    cells.push(result);
    hooks.onCell?.(result);
  }
  if (plan.profile) onStage?.({ kind: 'kernels' });
  const kernels = plan.profile ? await profile(engine, plan) : [];
  return {
    format: 'tabmind-bench-1',
    date: new Date().toISOString(),
    commit,
    userAgent: navigator.userAgent,
    browserFlags: '',
    gpu,
    model,
    memory: { weightBytes: stats.weightBytes, kvBytes: stats.kvBytes, scratchBytes },
    step,
    loads,
    cells,
    kernels,
  };
}

function profile(engine: Engine, { cells, profileChunk: chunkTokens = 0 }: BenchPlan) {
  const [first] = cells;
  return timeKernels(engine, first?.promptTokens ?? 1, { decodeRows: first?.concurrency ?? 1, chunkTokens });
}

async function loadAll(
  engine: Engine,
  { model, loadTwice }: BenchPlan,
  options: LoadOptions,
  { onStage, signal }: BenchHooks,
): Promise<readonly LoadResult[]> {
  const loads: LoadResult[] = [];
  const times = loadTwice && model.kind !== 'random' ? 2 : 1;
  for (let i = 0; i < times; i++) {
    const { result } = await timeLoad(
      engine,
      model,
      options,
      ({ phase, loadedBytes, totalBytes }) =>
        onStage?.({ kind: 'loading', phase, share: totalBytes > 0 ? loadedBytes / totalBytes : null }),
      signal,
    );
    loads.push(result);
  }
  return loads;
}

const TUNED_CHECK_MS = 100;

/** A card that was idle takes seconds to come to its full clock, which the first cell would be measured in. */
const WARM_UP_MS = 4000;

async function warmReadSpeed(engine: Engine): Promise<number> {
  const startMs = performance.now();
  let fastest = 0;
  do fastest = Math.max(fastest, await engine.measureReadSpeed());
  while (performance.now() - startMs < WARM_UP_MS);
  return fastest;
}

/** When it has found out what is fastest. */
async function loaded(engine: Engine): Promise<{
  readonly stats: EngineStats;
  readonly gpu: GpuInfo;
  readonly model: NonNullable<EngineStats['model']>;
}> {
  let stats = await engine.stats();
  while (stats.model && !stats.isTuned) {
    await new Promise((resolve) => setTimeout(resolve, TUNED_CHECK_MS));
    stats = await engine.stats();
  }
  if (!stats.gpu || !stats.model) throw new Error('The engine has no model after a load.');
  return { stats, gpu: stats.gpu, model: stats.model };
}

function stepFacts(stats: EngineStats, readBytesPerSecond: number): StepFacts {
  return {
    dispatches: stats.dispatchesPerDecodeStep,
    bindingsPerDispatch: stats.bindingsPerDispatch,
    weightBytes: stats.weightBytesPerStep,
    kvBytesPerToken: stats.kvBytesPerToken,
    readBytesPerSecond,
  };
}
