import { Icon, type IconName } from './icon';

export interface IconButtonProps {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick?: () => void;
  /** Id of the menu this button opens. */
  readonly opens?: string;
  readonly class?: string;
}

/** A square button whose only sight is an icon; `label` is its name and its tooltip. */
export function IconButton({ icon, label, onClick, opens, class: extra }: IconButtonProps) {
  return (
    <button
      type="button"
      class={extra === undefined ? 'icon-button' : `icon-button ${extra}`}
      aria-label={label}
      title={label}
      {...(onClick === undefined ? {} : { onClick })}
      {...(opens === undefined ? {} : { popovertarget: opens })}
    >
      <Icon name={icon} />
    </button>
  );
}
