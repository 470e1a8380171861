import { signal } from '@preact/signals';

export const PICKER_VIEWS = ['mine', 'catalog', 'storage'] as const;
export type PickerView = (typeof PICKER_VIEWS)[number];

/** Which part of the model picker is shown. */
export const pickerView = signal<PickerView>('mine');
