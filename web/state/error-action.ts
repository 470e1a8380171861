import { type ErrorCode, TabmindError } from '../../src/index';
import { newChat, openHead, openId, path } from './conversation';
import { openDialog, settingsSection } from './dialog';
import { deleteStored, failLoad, loadModel, refreshCached, stats } from './engine';
import { pickerView } from './model-view';
import { STARTER, selectedModel } from './models';
import { offerModel, startModel } from './offer';

export type ErrorAction =
  | 'retry'
  | 'reload-model'
  | 'choose-model'
  | 'use-starter'
  | 'free-space'
  | 'convert-again'
  | 'new-chat'
  | 'drop-oldest'
  | 'memory-settings'
  | 'give-token'
  | 'open-folder';

/** The one thing most worth doing after each error. */
const ACTION_OF: Readonly<Record<ErrorCode, ErrorAction>> = {
  // while there is none, the help with it takes the place of the chat: what is shown here is over
  'no-webgpu': 'retry',
  'no-adapter': 'retry',
  'device-limits': 'choose-model',
  'device-lost': 'reload-model',
  'out-of-memory': 'reload-model',
  'wrong-arithmetic': 'reload-model',
  'steps-lost': 'retry',
  shader: 'reload-model',
  network: 'retry',
  'not-found': 'choose-model',
  'bad-checkpoint': 'retry',
  'unsupported-model': 'choose-model',
  'bad-tokenizer': 'choose-model',
  'bad-template': 'choose-model',
  quota: 'free-space',
  storage: 'retry',
  'corrupt-cache': 'convert-again',
  'context-full': 'drop-oldest',
  'bad-request': 'retry',
  'no-model': 'reload-model',
  cancelled: 'retry',
  internal: 'reload-model',
};

export const MODEL_MENU_ID = 'model-menu';

/** A hub that wants to know who asks. */
export function isGated({ code, details }: TabmindError): boolean {
  return code === 'network' && (details.status === 401 || details.status === 403) && 'repository' in details;
}

function firstAction(error: TabmindError): ErrorAction {
  if (isGated(error)) return 'give-token';
  if (error.code === 'not-found' && selectedModel.value.kind === 'folder') return 'open-folder';
  return ACTION_OF[error.code];
}

/** What else may help, once there is room, or with another model. */
const OTHERWISE: Partial<Readonly<Record<ErrorCode, ErrorAction>>> = {
  quota: 'retry',
  'out-of-memory': 'memory-settings',
  'device-limits': 'memory-settings',
  'bad-checkpoint': 'choose-model',
  'bad-template': 'retry',
};

/** Leaving out turns helps once and where there are some, more room only when the model was loaded again with it. */
function contextActions({ details: { maxTokens } }: TabmindError): readonly ErrorAction[] {
  const { model, kvBlocksTotal = 0, kvBlockTokens = 0 } = stats.value ?? {};
  const roomTokens = Math.min(model?.contextLength ?? 0, kvBlocksTotal * kvBlockTokens);
  if (typeof maxTokens === 'number' && roomTokens > maxTokens) return ['retry', 'new-chat'];
  const hasOlder = path.value.filter(({ role }) => role === 'user').length > 1;
  const first: readonly ErrorAction[] = openHead.value.dropsOldest || !hasOlder ? [] : ['drop-oldest'];
  return [...first, 'memory-settings', 'new-chat'];
}

/** With a model of their own that failed, the starter is the quick way back to a working chat. */
export function errorActions(error: TabmindError): readonly ErrorAction[] {
  const { code } = error;
  if (code === 'context-full') return contextActions(error);
  const fallback = selectedModel.value.id !== STARTER.id && code !== 'bad-request';
  const otherwise = OTHERWISE[code];
  return [
    firstAction(error),
    ...(otherwise ? [otherwise] : []),
    ...(fallback ? (['use-starter'] as const) : []),
  ];
}

/** The branch on screen ends with an answer that failed, which says so below its question. */
export const hasFailedAnswer = (): boolean => {
  const last = path.value.at(-1);
  return last?.role === 'assistant' && last.state.value.status === 'failed';
};

/** Answering comes in a chunk of its own. */
async function retry(): Promise<void> {
  await (await import('./answering')).retry();
}

/** Asks the unanswered question again, which loads the model when it has to; only loads when there is none. */
async function tryAgain(): Promise<void> {
  await (hasFailedAnswer() ? retry() : loadModel());
}

/** From now on this conversation leaves out its oldest turns when it grows too long. */
async function dropOldest(): Promise<void> {
  const { changeHead } = await import('./archive');
  changeHead(openId.value, { dropsOldest: true });
  await retry();
}

async function convertAgain(): Promise<void> {
  try {
    await refreshCached();
    await deleteStored(selectedModel.value);
  } catch (thrown) {
    return failLoad(TabmindError.from(thrown, 'storage'));
  }
  await tryAgain();
}

/** Only a click may ask for the permission or open the picker. */
async function openFolder(): Promise<void> {
  try {
    const { reopenFolder } = await import('./folders');
    const model = await reopenFolder(selectedModel.value);
    if (model !== null) await startModel(model);
  } catch (thrown) {
    failLoad(TabmindError.from(thrown));
  }
}

async function useStarter(): Promise<void> {
  await loadModel(STARTER);
  if (hasFailedAnswer()) await retry();
}

export async function runErrorAction(action: ErrorAction): Promise<void> {
  switch (action) {
    case 'retry':
    case 'reload-model':
      return tryAgain();
    case 'free-space':
      pickerView.value = 'storage';
      return document.getElementById(MODEL_MENU_ID)?.showPopover();
    case 'choose-model':
      pickerView.value = 'catalog';
      return document.getElementById(MODEL_MENU_ID)?.showPopover();
    case 'use-starter':
      return useStarter();
    case 'convert-again':
      return convertAgain();
    case 'new-chat':
      return newChat();
    case 'drop-oldest':
      return dropOldest();
    case 'memory-settings':
      settingsSection.value = 'memory';
      openDialog.value = 'settings';
      return;
    case 'give-token':
      return offerModel(selectedModel.value);
    case 'open-folder':
      return openFolder();
  }
}
