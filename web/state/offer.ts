import { batch, signal } from '@preact/signals';
import { type ErrorCode, type Inspection, TabmindError } from '../../src/index';
import { words } from '../i18n/locale';
import { announce } from './announcement';
import { engine, failLoad, isAgreed, loadModel, loadOptions, modelRef, refreshCached } from './engine';
import { chooseContext } from './load-settings';
import { addModel, type PageModel } from './models';

/** A model that the person is asked about before anything of it is downloaded. */
export interface Offer {
  readonly model: PageModel;
  readonly isLooking: boolean;
  /** Of the last look; stays on screen while other bits are looked at. */
  readonly inspection: Inspection | null;
  readonly error: TabmindError | null;
}

export const offer = signal<Offer | null>(null);

/** These say something about the engine or the browser, not about the model. */
const NOT_OF_THE_MODEL: ReadonlySet<ErrorCode> = new Set(['no-webgpu', 'no-adapter', 'internal']);

/** Loads at once what is stored or agreed to, asks about everything else. `beforeLoad` runs when a load begins. */
export async function startModel(model: PageModel, beforeLoad = () => {}): Promise<void> {
  if (isAgreed(model)) return load(model, beforeLoad);
  const mine = open(model, null);
  // a storage that fails here fails again in `look`, and is reported there
  await refreshCached().catch(() => undefined);
  if (offer.value !== mine) return;
  if (isAgreed(model)) return load(model, beforeLoad);
  const inspection = await look(mine);
  if (inspection?.cached) await load(model, beforeLoad);
}

/** Asks about `model` again, with what was changed about it: other bits, an access token. */
export async function offerModel(model: PageModel): Promise<void> {
  const current = offer.value;
  await look(open(model, current?.model.id === model.id ? current.inspection : null));
}

/** Asks about it with another longest conversation, in tokens. */
export async function offerContext(model: PageModel, contextLength: number): Promise<void> {
  chooseContext(model.id, contextLength);
  await offerModel(model);
}

/** Loads the model on offer. */
export async function acceptOffer(beforeLoad: () => void): Promise<void> {
  if (offer.value !== null) await load(offer.value.model, beforeLoad);
}

export function closeOffer(): void {
  offer.value = null;
}

function open(model: PageModel, inspection: Inspection | null): Offer {
  const opened: Offer = { model, isLooking: true, inspection, error: null };
  offer.value = opened;
  return opened;
}

function load(model: PageModel, beforeLoad: () => void): Promise<void> {
  beforeLoad();
  return batch(() => {
    closeOffer();
    addModel(model);
    return loadModel(model);
  });
}

/** Null when it failed, or when something else is on offer by now. */
async function look(mine: Offer): Promise<Inspection | null> {
  const { model } = mine;
  try {
    const inspection = await engine().inspect(await modelRef(model), loadOptions(model));
    if (offer.value !== mine) return null;
    offer.value = { ...mine, isLooking: false, inspection };
    if (!inspection.cached) announce(words.value.load.looked);
    return inspection;
  } catch (thrown) {
    if (offer.value === mine) fail(mine, TabmindError.from(thrown));
    return null;
  }
}

function fail(mine: Offer, error: TabmindError): void {
  if (NOT_OF_THE_MODEL.has(error.code)) {
    closeOffer();
    failLoad(error);
    return;
  }
  offer.value = { ...mine, isLooking: false, inspection: null, error };
  announce(words.value.error.texts[error.code].title);
}
