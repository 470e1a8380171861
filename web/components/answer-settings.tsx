import { formatCount } from '../i18n/format';
import { words } from '../i18n/locale';
import { settingsWords } from '../i18n/settings';
import { modelState } from '../state/engine';
import { modelName, selectedModel } from '../state/models';
import {
  changeSampling,
  ownSetting,
  resetSampling,
  SAMPLING_NUMBERS,
  SAMPLING_RANGES,
  type SamplingNumber,
  sampling,
} from '../state/sampling';
import { greedy } from '../state/settings';
import { IconButton } from './icon-button';
import { SwitchRow } from './switch-row';

const WHOLE: ReadonlySet<SamplingNumber> = new Set(['topK', 'maxTokens', 'seed']);

/** Empty is the model's own; a number out of range is marked and not taken. */
function change(name: SamplingNumber, field: HTMLInputElement): void {
  const { min, max } = SAMPLING_RANGES[name];
  const number = field.valueAsNumber;
  const isValid = number >= min && number <= max && (!WHOLE.has(name) || Number.isInteger(number));
  const isEmpty = field.value === '' && !field.validity.badInput;
  field.setAttribute('aria-invalid', String(!isValid && !isEmpty));
  if (isEmpty) changeSampling(name, undefined);
  else if (isValid) changeSampling(name, number);
}

/** What an empty field stands for; without the model it is not known. */
function ownText(name: SamplingNumber): string {
  const { answers } = settingsWords.value;
  const state = modelState.value;
  if (state.status !== 'ready') return answers.own;
  const own = ownSetting(name, state.info.defaults);
  return typeof own === 'number' ? String(own) : answers[own];
}

function NumberRow({ name }: { readonly name: SamplingNumber }) {
  const { answers } = settingsWords.value;
  const { min, max, step } = SAMPLING_RANGES[name];
  const value = sampling.value[name];
  const isOff = name === 'temperature' && greedy.value;
  const id = `sampling-${name}`;
  return (
    <div class="setting">
      <div class="setting-text">
        <label for={id}>{answers.names[name]}</label>
        <small id={`${id}-hint`}>{answers.hints[name]}</small>
      </div>
      <input
        id={id}
        class="field setting-number"
        type="number"
        inputmode={WHOLE.has(name) ? 'numeric' : 'decimal'}
        min={min}
        max={max}
        step={step}
        disabled={isOff}
        placeholder={isOff ? '0' : ownText(name)}
        title={answers.range(formatCount(min), formatCount(max))}
        aria-describedby={`${id}-hint`}
        value={isOff ? '' : (value ?? '')}
        onInput={(event) => change(name, event.currentTarget)}
      />
      <IconButton
        icon="retry"
        label={answers.resetOne(answers.names[name])}
        isOff={value === undefined}
        onClick={() => changeSampling(name, undefined)}
      />
    </div>
  );
}

function StopRow() {
  const { answers } = settingsWords.value;
  const lines = (text: string): readonly string[] | undefined => {
    const stops = text.split('\n').filter((line) => line !== '');
    return stops.length > 0 ? stops : undefined;
  };
  return (
    <label class="labelled">
      {answers.stop}
      <span class="hint">{answers.stopHint}</span>
      <textarea
        class="field"
        rows={2}
        spellcheck={false}
        defaultValue={sampling.value.stop?.join('\n') ?? ''}
        onInput={(event) => changeSampling('stop', lines(event.currentTarget.value))}
      />
    </label>
  );
}

/** How words are drawn, for the model that answers. */
export function AnswerSettings() {
  const { answers } = settingsWords.value;
  const { settings } = words.value;
  return (
    <>
      <p class="hint">{answers.intro(modelName(selectedModel.value))}</p>
      <SwitchRow
        label={settings.greedy}
        hint={settings.greedyHint}
        isOn={greedy.value}
        onSwitch={(isOn) => {
          greedy.value = isOn;
        }}
      />
      {SAMPLING_NUMBERS.map((name) => (
        <NumberRow key={name} name={name} />
      ))}
      <StopRow />
      <button type="button" class="button button-quiet" onClick={resetSampling}>
        {answers.reset}
      </button>
    </>
  );
}
