import { signal } from '@preact/signals';
import { createEngine, type Engine } from '../../src/index';
import type { BenchPlan } from './plan';
import type { BenchReport } from './report';
import { runBench } from './run';
import type { BenchStage } from './stage';

/** What the page shows of the benchmark that runs or has run. */
export type BenchState =
  | { readonly status: 'idle' }
  | { readonly status: 'running'; readonly stage: BenchStage }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'stopped' }
  | { readonly status: 'done' };

export const benchState = signal<BenchState>({ status: 'idle' });
export const benchReport = signal<BenchReport | null>(null);

let shared: Engine | null = null;
let running: AbortController | null = null;

/** Runs the plan on the one engine of the page; every outcome lands in `benchState`. */
export async function startBench(plan: BenchPlan): Promise<void> {
  const controller = new AbortController();
  running = controller;
  benchReport.value = null;
  benchState.value = { status: 'running', stage: { kind: 'starting' } };
  try {
    shared ??= createEngine();
    benchReport.value = await runBench(shared, plan, {
      signal: controller.signal,
      onStage: (stage) => {
        benchState.value = { status: 'running', stage };
      },
    });
    benchState.value = { status: 'done' };
  } catch (thrown) {
    benchState.value = controller.signal.aborted
      ? { status: 'stopped' }
      : { status: 'failed', error: thrown };
  } finally {
    running = null;
  }
}

export function stopBench(): void {
  running?.abort();
}

export function failBench(thrown: unknown): void {
  benchState.value = { status: 'failed', error: thrown };
}
