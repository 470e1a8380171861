import { TabmindError } from '../errors';

/** An error for a broken invariant of the engine. */
export function defect(what: string): TabmindError {
  return new TabmindError('internal', `Engine bookkeeping: ${what}.`, {
    meaning: 'tabmind has a bug; this answer cannot go on.',
    remedy: 'Reload the page and report this message.',
  });
}
