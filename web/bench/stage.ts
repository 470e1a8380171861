import type { LoadPhase } from '../../src/index';
import type { BenchDictionary } from '../i18n/bench-en';
import { type CellPlan, cellName } from './plan';

/** What a benchmark is doing. */
export type BenchStage =
  | { readonly kind: 'starting' }
  /** `share` of the bytes of the phase; null where it has none. */
  | { readonly kind: 'loading'; readonly phase: LoadPhase; readonly share: number | null }
  | { readonly kind: 'reading' }
  /** `index` of the `total` cells, from 1. */
  | { readonly kind: 'cell'; readonly index: number; readonly total: number; readonly cell: CellPlan }
  | { readonly kind: 'kernels' };

/** For a person who waits. */
export function stageText(stage: BenchStage, { stages }: BenchDictionary): string {
  switch (stage.kind) {
    case 'loading':
      return stages.loading(stage.phase, stage.share === null ? '' : ` ${Math.floor(stage.share * 100)} %`);
    case 'cell':
      return stages.cell(stage.index, stage.total, cellName(stage.cell));
    default:
      return stages[stage.kind];
  }
}
