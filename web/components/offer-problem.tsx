import { useMemo } from 'preact/hooks';
import type { ErrorCode, TabmindError } from '../../src/index';
import { words } from '../i18n/locale';
import { pickerWords } from '../i18n/picker';
import { isGated } from '../state/error-action';
import { reopenFolder } from '../state/folders';
import { tokenOf } from '../state/hub';
import { openPicker } from '../state/model-choosing';
import { pickerView } from '../state/model-view';
import type { HubEntry, PageModel } from '../state/models';
import { closeOffer, offerModel } from '../state/offer';
import { inPicker, pickerError } from '../state/picker-error';
import { HUB_SETTINGS_ID } from './hub-settings';
import { Icon } from './icon';
import { MODEL_ADDRESS_ID } from './model-field';
import { TokenField } from './token-field';

/** No second look would end differently. */
const ANOTHER_MODEL: ReadonlySet<ErrorCode> = new Set([
  'unsupported-model',
  'bad-tokenizer',
  'bad-template',
  'device-limits',
]);

interface Remedy {
  readonly label: string;
  readonly run: () => void;
}

/** `then` finds the fields of the first view, which may have to be drawn before. */
function openMine(then: () => void): void {
  pickerView.value = 'mine';
  openPicker();
  requestAnimationFrame(then);
}

function changeAddress(): void {
  openMine(() => document.getElementById(MODEL_ADDRESS_ID)?.focus());
}

function changeHub(): void {
  openMine(() => {
    const settings = document.getElementById(HUB_SETTINGS_ID);
    settings?.setAttribute('open', '');
    settings?.querySelector('summary')?.focus();
  });
}

/** A click may ask for the folder's permission again, or for the folder. */
async function openAgain(model: PageModel): Promise<void> {
  await inPicker(async () => {
    const opened = await reopenFolder(model);
    if (opened !== null) await offerModel(opened);
  }, 'not-found');
  if (pickerError.value !== null) openPicker();
}

/** What to do about it, most promising first. */
function remediesOf(model: PageModel, { code, details }: TabmindError): readonly Remedy[] {
  const { error } = words.value;
  const { problem, offer } = pickerWords.value;
  const retry = { label: error.actions.retry, run: () => void offerModel(model) };
  const change = { label: problem.change, run: changeAddress };
  const other = { label: offer.other, run: openPicker };
  if (model.kind === 'folder' && code === 'not-found')
    return [{ label: error.actions['open-folder'], run: () => void openAgain(model) }];
  if (code === 'not-found') return model.kind === 'hub' ? [change, hubRemedy()] : [change];
  if (ANOTHER_MODEL.has(code)) return [other];
  if (code === 'bad-checkpoint') return [retry, other];
  const isUnreachable = code === 'network' && details.status === undefined;
  return isUnreachable && model.kind === 'hub' ? [retry, hubRemedy()] : [retry];
}

function hubRemedy(): Remedy {
  return { label: pickerWords.value.problem.hub, run: changeHub };
}

function Gate({ model, error }: { readonly model: HubEntry; readonly error: TabmindError }) {
  const { problem } = pickerWords.value;
  const { url } = error.details;
  return (
    <form
      class="gate"
      onSubmit={(event) => {
        event.preventDefault();
        void offerModel(model);
      }}
    >
      <TokenField host={model.host} />
      <div class="error-actions">
        <button type="submit" class="button" disabled={tokenOf(model.host) === ''}>
          {problem.withToken}
        </button>
        {typeof url === 'string' && (
          <a class="button button-quiet" href={url} target="_blank" rel="noreferrer">
            {problem.page}
          </a>
        )}
        <CloseButton />
      </div>
    </form>
  );
}

function CloseButton() {
  return (
    <button type="button" class="button button-quiet" onClick={closeOffer}>
      {pickerWords.value.problem.close}
    </button>
  );
}

function Remedies({ model, error }: { readonly model: PageModel; readonly error: TabmindError }) {
  return (
    <div class="error-actions">
      {remediesOf(model, error).map(({ label, run }, index) => (
        <button
          key={label}
          type="button"
          class={index === 0 ? 'button' : 'button button-quiet'}
          onClick={run}
        >
          {label}
        </button>
      ))}
      <CloseButton />
    </div>
  );
}

function failureText(model: PageModel, { code, details }: TabmindError) {
  const { texts, folder } = words.value.error;
  if (code === 'not-found' && model.kind === 'folder') return folder;
  const isUnknown = code === 'not-found' && model.kind === 'hub' && 'repository' in details;
  return isUnknown ? pickerWords.value.problem.unknown : texts[code];
}

/** Why a model cannot be looked at. The engine's own sentence names the file or the format, so it is shown too. */
function Failure({ model, error }: { readonly model: PageModel; readonly error: TabmindError }) {
  const text = failureText(model, error);
  return (
    <section class="card error offer-problem" aria-label={text.title}>
      <Icon name="alert" />
      <div class="error-body">
        <strong>{text.title}</strong>
        <p>{text.advice}</p>
        <p class="error-details">{error.message}</p>
        <Remedies model={model} error={error} />
      </div>
    </section>
  );
}

/** A gate is no failure: the hub wants to know who asks. */
function GateCard({ model, error }: { readonly model: HubEntry; readonly error: TabmindError }) {
  const { gated } = pickerWords.value.problem;
  // of the last try; what is typed since does not count
  const hadToken = useMemo(() => tokenOf(model.host) !== '', [error]);
  return (
    <section class="card offer-problem" aria-label={gated.title}>
      <Icon name="lock" />
      <div>
        <strong>{gated.title}</strong>
        <p>{hadToken ? gated.refused : gated.advice}</p>
        <Gate model={model} error={error} />
      </div>
    </section>
  );
}

/** What keeps a model from being looked at, and what to do about it. */
export function OfferProblem({ model, error }: { readonly model: PageModel; readonly error: TabmindError }) {
  if (isGated(error) && model.kind === 'hub') return <GateCard model={model} error={error} />;
  return <Failure model={model} error={error} />;
}
