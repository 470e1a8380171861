import type { Engine } from '../engine/engine';
import type { ModelRunner } from '../runner/model-runner';
import type { ResidentLayers } from '../runner/resident-layers';
import { lazyPart } from './lazy-part';

/** How often it looks whether nothing runs. */
const IDLE_CHECK_MS = 250;

export interface TunedModel {
  readonly runner: ModelRunner;
  readonly engine: Engine;
  isClosed(): boolean;
}

/**
 * What is left to try out when a model is ready: in the background, because it takes a second to compile, and while
 * nothing else runs. A program that cannot be built is reported and done without.
 */
export async function chooseWhenIdle({ runner, engine, isClosed }: TunedModel): Promise<void> {
  try {
    const resident = await residentLayers(runner);
    if (!resident.request()) return;
    await resident.ready();
    while (!isClosed() && isBusy(engine)) await new Promise((resolve) => setTimeout(resolve, IDLE_CHECK_MS));
    if (isClosed()) return;
    await engine.borrow(1, async ({ slot, blockTable }) => {
      runner.prepareRow({ slot, position: 0, blockTable: blockTable.blockIds, tokenId: 0 });
      await resident.choose();
    });
  } catch (thrown) {
    if (!isClosed()) console.warn('The layers are dispatched kernel by kernel.', thrown);
  }
}

/** The dispatch of all layers, for this model; it is fetched apart, because no visit waits for it. */
export async function residentLayers(runner: ModelRunner): Promise<ResidentLayers> {
  const { ResidentLayers } = await lazyPart(() => import('../runner/resident-layers'));
  return new ResidentLayers(runner.residentParts);
}

function isBusy(engine: Engine): boolean {
  const { running, waiting } = engine.stats();
  return running + waiting > 0;
}
