import type { ComponentChildren } from 'preact';
import type { KvBits, LoadOptions, ModelRef, WeightBits } from '../../src/index';
import { benchWords } from '../i18n/bench';
import { STARTER } from '../state/models';
import { type BenchPlan, gridOf, parseCounts, parseLengths, RANDOM_SHAPE_NAMES } from './plan';
import { benchState, failBench, startBench } from './session';

const WEIGHT_BITS: readonly WeightBits[] = [4, 8, 16];
const KV_BITS: readonly KvBits[] = [8, 4, 16];
const MATHS = ['auto', 'f32', 'f16'] as const satisfies readonly LoadOptions['math'][];

export function BenchForm() {
  const isRunning = benchState.value.status === 'running';
  const { form } = benchWords.value;
  return (
    <form
      class="bench-form"
      onSubmit={(event) => {
        event.preventDefault();
        try {
          void startBench(planOf(new FormData(event.currentTarget)));
        } catch (thrown) {
          failBench(thrown);
        }
      }}
    >
      <Field label={form.model}>
        <select name="model">
          <option value="">{form.starter}</option>
          {RANDOM_SHAPE_NAMES.map((shape) => (
            <option key={shape} value={shape}>
              {form.random(shape)}
            </option>
          ))}
        </select>
      </Field>
      <Field label={form.address}>
        <input name="url" type="url" placeholder="https://huggingface.co/owner/name" />
      </Field>
      <Choice label={form.weights} name="weights" values={WEIGHT_BITS} />
      <Choice label={form.kv} name="kv" values={KV_BITS} />
      <Choice label={form.arithmetic} name="math" values={MATHS} />
      <Field label={form.concurrency}>
        <input name="concurrency" defaultValue="1,8" />
      </Field>
      <Field label={form.lengths}>
        <input name="lengths" defaultValue="128:128" />
      </Field>
      <Field label={form.runs}>
        <input name="runs" type="number" min="1" defaultValue="5" />
      </Field>
      <div class="bench-actions">
        <button type="submit" class="button" disabled={isRunning}>
          {form.start}
        </button>
        <label class="bench-check">
          <input name="profile" type="checkbox" /> {form.profile}
        </label>
      </div>
    </form>
  );
}

function Field({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label class="bench-field">
      <span>{label}</span>
      {children}
    </label>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly name: string;
  readonly values: readonly (string | number)[];
}

function Choice({ label, name, values }: ChoiceProps) {
  return (
    <Field label={label}>
      <select name={name}>
        {values.map((value) => (
          <option key={value} value={value}>
            {value === 'auto' ? benchWords.value.form.automatic : value}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** Throws a `PlanError` for what cannot be read. */
function planOf(form: FormData): BenchPlan {
  const text = (name: string) => String(form.get(name) ?? '');
  return {
    model: modelOf(text('url').trim(), text('model')),
    options: {
      weightBits: pick(WEIGHT_BITS, text('weights')),
      kvBits: pick(KV_BITS, text('kv')),
      math: pick(MATHS, text('math')),
    },
    cells: gridOf(parseCounts(text('concurrency')), parseLengths(text('lengths'))),
    requestsPerLane: parseCounts(text('runs'))[0] ?? 1,
    seed: 1,
    loadTwice: true,
    profile: form.has('profile'),
  };
}

function modelOf(url: string, shapeName: string): ModelRef {
  if (url !== '') return { id: url.replace(/^https?:\/\//, '').replace(/\/$/, ''), url };
  const shape = RANDOM_SHAPE_NAMES.find((name) => name === shapeName);
  return shape ? { kind: 'random', id: `random:${shape}`, shape } : STARTER;
}

function pick<T extends string | number>(values: readonly T[], text: string): T {
  const value = values.find((candidate) => String(candidate) === text);
  if (value === undefined) throw new RangeError(`"${text}" is none of ${values.join(', ')}.`);
  return value;
}
