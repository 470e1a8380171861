import { signal } from '@preact/signals';
import { type Comparison, compareReports } from './comparison';
import { failureText } from './failure';
import type { BenchReport } from './report';
import { Numbers } from './report-view';
import { numberText } from './table';

const comparison = signal<Comparison | null>(null);
const failure = signal('');

/** Two saved reports, side by side. */
export function CompareFiles() {
  const result = comparison.value;
  return (
    <section class="bench-report" aria-label="Compare">
      <h2>Compare two saved reports</h2>
      <form
        class="bench-form"
        onSubmit={(event) => {
          event.preventDefault();
          void compare(new FormData(event.currentTarget));
        }}
      >
        <label class="bench-field">
          <span>A, before</span>
          <input type="file" name="before" accept="application/json" required />
        </label>
        <label class="bench-field">
          <span>B, after</span>
          <input type="file" name="after" accept="application/json" required />
        </label>
        <button type="submit" class="button">
          Compare
        </button>
      </form>
      {failure.value !== '' && <p class="bench-failed">{failure.value}</p>}
      {result && (
        <>
          {result.differences.map((words) => (
            <p key={words}>Not the same: {words}</p>
          ))}
          <Numbers
            head={['compared', 'A', 'B', 'B is better by']}
            rows={result.changes.map(({ what, before, after, gain }) => [
              what,
              numberText(before),
              numberText(after),
              `${numberText((gain - 1) * 100)} %`,
            ])}
          />
        </>
      )}
    </section>
  );
}

async function compare(form: FormData): Promise<void> {
  comparison.value = null;
  failure.value = '';
  try {
    comparison.value = compareReports(
      await readReport(form.get('before')),
      await readReport(form.get('after')),
    );
  } catch (thrown) {
    failure.value = failureText(thrown);
  }
}

async function readReport(file: FormDataEntryValue | null): Promise<BenchReport> {
  if (!(file instanceof File)) throw new Error('Choose two files.');
  return JSON.parse(await file.text());
}
