import { pickerWords } from '../i18n/picker';
import { PICKER_VIEWS, pickerView } from '../state/model-view';
import { Segments } from './segments';

/** The parts of the model picker: what the person has, what there is, what it takes on the disk. */
export function PickerViews() {
  const { views } = pickerWords.value;
  return (
    <div class="picker-views">
      <Segments
        legend={views.legend}
        name="picker-view"
        options={PICKER_VIEWS}
        labels={views.labels}
        chosen={pickerView.value}
        onChoose={(view) => {
          pickerView.value = view;
        }}
      />
    </div>
  );
}
