import { type Drawing, Icon, type IconName } from './icon';

export interface IconButtonProps {
  readonly icon: IconName | Drawing;
  readonly label: string;
  readonly onClick?: () => void;
  /** Id of the menu this button opens. */
  readonly opens?: string;
  readonly class?: string;
  /** It does nothing now, but keeps the focus that it has. */
  readonly isOff?: boolean;
  readonly hasPopup?: 'dialog' | 'menu';
  readonly isExpanded?: boolean;
}

/** A square button whose only sight is an icon; `label` is its name and its tooltip. */
export function IconButton(props: IconButtonProps) {
  const { icon, label, onClick, opens, class: extra, isOff = false, hasPopup, isExpanded } = props;
  return (
    <button
      type="button"
      class={extra === undefined ? 'icon-button' : `icon-button ${extra}`}
      aria-label={label}
      title={label}
      {...(onClick === undefined || isOff ? {} : { onClick })}
      {...(isOff ? { 'aria-disabled': true } : {})}
      {...(hasPopup === undefined ? {} : { 'aria-haspopup': hasPopup })}
      {...(isExpanded === undefined ? {} : { 'aria-expanded': isExpanded })}
      {...(opens === undefined ? {} : { popovertarget: opens })}
    >
      <Icon name={icon} />
    </button>
  );
}
