import { signal } from '@preact/signals';
import { benchWords } from '../i18n/bench';
import { type Comparison, compareReports, gainText } from './comparison';
import { failureText } from './failure';
import type { BenchReport } from './report';
import { Numbers } from './report-view';
import { numberText } from './table';

const comparison = signal<Comparison | null>(null);
const failure = signal('');

/** Two saved reports, side by side. */
export function CompareFiles() {
  const result = comparison.value;
  const { compare: words } = benchWords.value;
  return (
    <section class="bench-report" aria-label={words.region}>
      <h2>{words.title}</h2>
      <form
        class="bench-form bench-files"
        onSubmit={(event) => {
          event.preventDefault();
          void compare(new FormData(event.currentTarget));
        }}
      >
        <label class="bench-field">
          <span>{words.before}</span>
          <input type="file" name="before" accept="application/json" required />
        </label>
        <label class="bench-field">
          <span>{words.after}</span>
          <input type="file" name="after" accept="application/json" required />
        </label>
        <div class="bench-actions">
          <button type="submit" class="button">
            {words.start}
          </button>
        </div>
      </form>
      {failure.value !== '' && <p class="bench-failed">{failure.value}</p>}
      {result && (
        <>
          {result.differences.map((difference) => (
            <p key={difference}>{words.different(difference)}</p>
          ))}
          {result.unmatched.length > 0 && <p>{words.onlyOne(result.unmatched.join(', '))}</p>}
          <Numbers
            head={[words.compared, 'A', 'B', words.gain]}
            rows={result.changes.map(({ what, before, after, gain }) => [
              what,
              numberText(before),
              numberText(after),
              gainText(gain),
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
      benchWords.value,
    );
  } catch (thrown) {
    failure.value = failureText(thrown);
  }
}

/** Throws an Error in words for a file that is no report. */
async function readReport(file: FormDataEntryValue | null): Promise<BenchReport> {
  const { noReport } = benchWords.value.compare;
  if (!(file instanceof File)) throw new Error(noReport);
  try {
    return JSON.parse(await file.text());
  } catch (cause) {
    throw new Error(noReport, { cause });
  }
}
