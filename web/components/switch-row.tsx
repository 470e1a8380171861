export interface SwitchRowProps {
  readonly label: string;
  readonly hint: string;
  readonly isOn: boolean;
  readonly onSwitch: (isOn: boolean) => void;
}

export function SwitchRow({ label, hint, isOn, onSwitch }: SwitchRowProps) {
  return (
    <label class="switch-row">
      <span>
        {label}
        <small>{hint}</small>
      </span>
      <input type="checkbox" checked={isOn} onChange={(event) => onSwitch(event.currentTarget.checked)} />
    </label>
  );
}
