import { signal } from '@preact/signals';
import { type ErrorCode, TabmindError } from '../../src/index';

/** Why the last thing asked of the picker failed: the list of stored models, a removal, a folder. */
export const pickerError = signal<TabmindError | null>(null);

/** Runs `work` for the picker; its failure is shown there. */
export async function inPicker(work: () => Promise<void>, code: ErrorCode): Promise<void> {
  try {
    await work();
    pickerError.value = null;
  } catch (thrown) {
    pickerError.value = TabmindError.from(thrown, code);
  }
}
