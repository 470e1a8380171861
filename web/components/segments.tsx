import { Icon, type IconName } from './icon';

export interface SegmentsProps<T extends string | number> {
  readonly legend: string;
  readonly name: string;
  readonly options: readonly T[];
  readonly labels: Readonly<Record<T, string>>;
  readonly chosen: T;
  readonly onChoose: (option: T) => void;
  readonly icons?: Readonly<Record<T, IconName>>;
}

/** Radio buttons drawn as one segmented bar. */
export function Segments<T extends string | number>(props: SegmentsProps<T>) {
  const { legend, name, options, labels, chosen, onChoose, icons } = props;
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      <div class="segments">
        {options.map((option) => (
          <label key={option} class="segment">
            <input
              type="radio"
              name={name}
              value={option}
              checked={chosen === option}
              onChange={() => onChoose(option)}
            />
            <span>
              {icons !== undefined && <Icon name={icons[option]} />}
              {labels[option]}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
