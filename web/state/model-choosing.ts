import { interrupt } from './conversation';
import { modelState } from './engine';
import { MODEL_MENU_ID } from './error-action';
import { address } from './model-address';
import { models, type PageModel, selectedModel } from './models';
import { acceptOffer, closeOffer, startModel } from './offer';

export function closePicker(): void {
  document.getElementById(MODEL_MENU_ID)?.hidePopover();
}

export function openPicker(): void {
  document.getElementById(MODEL_MENU_ID)?.showPopover();
}

/** The person wants this model: it is loaded, or they are asked about it. */
export function choose(model: PageModel): void {
  closePicker();
  const { status } = modelState.value;
  const isThere = selectedModel.value.id === model.id && (status === 'ready' || status === 'loading');
  if (isThere) closeOffer();
  else void startModel(model, beforeLoad);
}

/** A model from an address or a folder, in the bits that were chosen for it before. */
export function chooseNew(model: PageModel): void {
  closePicker();
  const known = models.value.find(({ id }) => id === model.id);
  void startModel({ ...model, weightBits: known?.weightBits ?? model.weightBits }, beforeLoad);
}

export function accept(): void {
  void acceptOffer(beforeLoad);
}

function beforeLoad(): void {
  address.value = '';
  interrupt();
}
