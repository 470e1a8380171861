import { TabmindError } from '../../src/index';

/** What went wrong, what it means and what to do, as one line. */
export function failureText(thrown: unknown): string {
  if (thrown instanceof TabmindError)
    return [thrown.message, thrown.meaning, thrown.remedy].filter(Boolean).join(' ');
  return thrown instanceof Error ? thrown.message : String(thrown);
}
