import { useEffect } from 'preact/hooks';
import { TabmindError } from '../../src/index';
import { formatCount, formatMiB, formatShare } from '../i18n/format';
import { settingsWords } from '../i18n/settings';
import { announce } from '../state/announcement';
import { lookAtRoom, needsReload, type RoomPreview, roomNow, roomThen } from '../state/cache-room';
import { interrupt } from '../state/conversation';
import { loadModel, modelState } from '../state/engine';
import { changeLoadChoice, KV_BITS, type LoadChoice, loadChoice } from '../state/load-settings';
import { modelName, selectedModel } from '../state/models';
import { Segments } from './segments';
import { SwitchRow } from './switch-row';

const DEFAULT_SHARE = 0.5;
const DEFAULT_KV_BITS = 8;

const chosen = (): LoadChoice => loadChoice(selectedModel.value.id);

/** Changes some fields; `undefined` leaves one to the engine. */
function change(patch: { readonly [Name in keyof LoadChoice]: LoadChoice[Name] | undefined }): void {
  const merged = Object.entries({ ...chosen(), ...patch }).filter(([, value]) => value !== undefined);
  changeLoadChoice(selectedModel.value.id, Object.fromEntries(merged));
  look();
}

/** A model whose description cannot be fetched is reported where it is loaded; here only the preview is missing. */
function look(): void {
  if (modelState.value.status !== 'ready') return;
  lookAtRoom().catch((thrown: unknown) => announce(TabmindError.from(thrown).message));
}

function ContextRow() {
  const { memory } = settingsWords.value;
  const state = modelState.value;
  const now = state.status === 'ready' ? formatCount(state.info.contextLength) : memory.automatic;
  return (
    <div class="setting">
      <div class="setting-text">
        <label for="context-length">{memory.context}</label>
        <small>{memory.contextHint}</small>
      </div>
      <input
        id="context-length"
        class="field setting-number"
        type="number"
        inputmode="numeric"
        min={128}
        step={128}
        placeholder={now}
        value={chosen().contextLength ?? ''}
        onChange={({ currentTarget: { valueAsNumber } }) =>
          change({ contextLength: valueAsNumber >= 1 ? Math.round(valueAsNumber) : undefined })
        }
      />
    </div>
  );
}

function roomText(room: RoomPreview): string {
  const { memory } = settingsWords.value;
  if (room === null) return '';
  if (room === 'looking') return memory.looking;
  if (room === 'too-big') return memory.tooBig;
  return memory.roomThen(room.tokens === null ? '?' : formatCount(room.tokens), formatMiB(room.bytes));
}

function ShareRow() {
  const { memory } = settingsWords.value;
  const share = chosen().cacheMaxEntryCount;
  const now = roomNow.value;
  return (
    <fieldset class="choice">
      <legend>{memory.share}</legend>
      <SwitchRow
        label={memory.shareAutomatic}
        hint={memory.shareHint}
        isOn={share === undefined}
        onSwitch={(isOn) => change({ cacheMaxEntryCount: isOn ? undefined : DEFAULT_SHARE })}
      />
      {share !== undefined && (
        <label class="slider">
          <span class="visually-hidden">{memory.share}</span>
          <input
            type="range"
            min={0.05}
            max={0.95}
            step={0.05}
            value={share}
            onChange={(event) => change({ cacheMaxEntryCount: event.currentTarget.valueAsNumber })}
          />
          <output>{formatShare(share)}</output>
        </label>
      )}
      {now !== null && now.tokens !== null && (
        <p class="hint room-now">{memory.roomNow(formatCount(now.tokens), formatMiB(now.bytes))}</p>
      )}
      {needsReload.value && (
        <p class="hint room-then" role="status">
          {roomText(roomThen.value)}
        </p>
      )}
    </fieldset>
  );
}

/** For cards whose 16-bit arithmetic is not to be trusted, and to compare. */
function MathRow() {
  const { memory } = settingsWords.value;
  return (
    <SwitchRow
      label={memory.exact}
      hint={memory.exactHint}
      isOn={chosen().math === 'f32'}
      onSwitch={(isOn) => change({ math: isOn ? 'f32' : undefined })}
    />
  );
}

function ReloadRow() {
  const { memory } = settingsWords.value;
  if (modelState.value.status !== 'ready') return <p class="hint">{memory.notLoaded}</p>;
  if (!needsReload.value) return <p class="hint">{memory.unchanged}</p>;
  return (
    <div class="row">
      <button
        type="button"
        class="button"
        disabled={roomThen.value === 'too-big'}
        onClick={() => {
          interrupt();
          void loadModel();
        }}
      >
        {memory.reload}
      </button>
      <span class="hint">{memory.reloadHint}</span>
    </div>
  );
}

/** The model's context, its cache and its arithmetic. What is loaded stays as it is until the one button is pressed. */
export function MemorySettings() {
  const { memory } = settingsWords.value;
  const id = selectedModel.value.id;
  useEffect(() => {
    if (needsReload.value) look();
  }, [id]);
  return (
    <>
      <p class="hint">{memory.intro(modelName(selectedModel.value))}</p>
      <ContextRow />
      <Segments
        legend={memory.kv}
        name="kv-bits"
        options={KV_BITS}
        labels={memory.kvLabels}
        chosen={chosen().kvBits ?? DEFAULT_KV_BITS}
        onChoose={(kvBits) => change({ kvBits: kvBits === DEFAULT_KV_BITS ? undefined : kvBits })}
      />
      <p class="hint under">{memory.kvHint}</p>
      <ShareRow />
      <MathRow />
      <ReloadRow />
    </>
  );
}
