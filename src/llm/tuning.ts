import type { Engine } from '../engine/engine';
import { lazyPart } from '../lazy-part';
import type { ModelRunner } from '../runner/model-runner';
import type { ResidentLayers } from '../runner/resident-layers';
import type { KeptTuning } from './kept-tuning';

/** How often it looks whether nothing runs. */
const IDLE_CHECK_MS = 250;

export interface TunedModel {
  readonly runner: Pick<ModelRunner, 'prepareRow' | 'onLayersLost'>;
  readonly engine: Pick<Engine, 'borrow' | 'stats'>;
  /** What an earlier load found out; null where nothing is kept. */
  readonly kept: KeptTuning | null;
  /** Done when no other pipelines compile, which would disturb what is timed. */
  readonly others: Promise<void>;
  /** Fetches what computes all layers in one dispatch. */
  layers(): Promise<Pick<ResidentLayers, 'request' | 'ready' | 'choose' | 'use'>>;
  isClosed(): boolean;
}

/**
 * Does what an earlier load has found out to be fastest, or tries that out and keeps it: in the background, because it takes
 * a second to compile. A program that cannot be built is reported and done without.
 */
export async function tune(model: TunedModel): Promise<void> {
  const { runner, kept, isClosed } = model;
  runner.onLayersLost(() => void kept?.forget());
  try {
    const known = (await kept?.read()) ?? null;
    if (isClosed()) return;
    if (known === null) await chooseWhenIdle(model);
    else if (known.tile !== null) await (await model.layers()).use(known.tile);
  } catch (thrown) {
    if (isClosed()) return;
    console.warn('The layers are dispatched kernel by kernel.', thrown);
    await kept?.forget();
  }
}

async function chooseWhenIdle({ runner, engine, kept, others, layers, isClosed }: TunedModel): Promise<void> {
  const resident = await layers();
  if (!resident.request()) return;
  await resident.ready();
  await others;
  while (!isClosed() && isBusy(engine)) await new Promise((resolve) => setTimeout(resolve, IDLE_CHECK_MS));
  if (isClosed()) return;
  const tile = await engine.borrow(1, ({ slot, blockTable }) => {
    runner.prepareRow({ slot, position: 0, blockTable: blockTable.blockIds, tokenId: 0 });
    return resident.choose();
  });
  await kept?.write({ tile });
}

/** The dispatch of all layers, for this model; it is fetched apart, because no visit waits for it. */
export async function residentLayers(runner: ModelRunner): Promise<ResidentLayers> {
  const { ResidentLayers } = await lazyPart(() => import('../runner/resident-layers'));
  return new ResidentLayers(runner.residentParts);
}

function isBusy(engine: TunedModel['engine']): boolean {
  const { running, waiting } = engine.stats();
  return running + waiting > 0;
}
