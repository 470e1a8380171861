import { type Gpu, openGpu } from '../../src/gpu/device';
import { PipelineCache } from '../../src/gpu/pipeline';
import { cases, makeTest } from './harness';

import.meta.glob('./*.test.ts', { eager: true });

PipelineCache.checksKeys = true;

export interface CaseResult {
  readonly name: string;
  readonly variant: string;
  readonly error: string | null;
  readonly ms: number;
}

/** Of the runner, which shows them while others run. */
declare function heardGpuResult(result: CaseResult): void;

interface RunOptions {
  /** Substring of the case names to run. */
  readonly filter?: string;
  readonly seed: number;
}

async function variants(): Promise<[string, Gpu][]> {
  const probe = await openGpu();
  const { f16 } = probe.info;
  const subgroups = probe.subgroupSize > 0;
  probe.destroy();
  const list: [string, Gpu][] = [];
  for (const math of f16 ? (['f32', 'f16'] as const) : (['f32'] as const))
    for (const useSubgroups of subgroups ? [false, true] : [false])
      list.push([
        `${math} ${useSubgroups ? 'subgroups' : 'workgroup'}`,
        await openGpu({ math, subgroups: useSubgroups }),
      ]);
  return list;
}

async function run(options: RunOptions): Promise<{ adapter: unknown; results: CaseResult[] }> {
  const results: CaseResult[] = [];
  const all = await variants();
  for (const [variant, gpu] of all)
    for (const { name, run: body, needs } of cases) {
      if ((options.filter && !name.includes(options.filter)) || !needs(gpu)) continue;
      const start = performance.now();
      let error: string | null = null;
      try {
        await body(makeTest(gpu, options.seed));
      } catch (thrown) {
        error = thrown instanceof Error ? `${thrown.message} [seed ${options.seed}]` : String(thrown);
      }
      const result = { name, variant, error, ms: performance.now() - start };
      results.push(result);
      heardGpuResult(result);
    }
  return { adapter: all[0]?.[1].info, results };
}

Object.assign(globalThis, { runGpuTests: run });
