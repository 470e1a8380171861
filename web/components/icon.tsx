import arrowDown from 'lucide-static/icons/arrow-down.svg?raw';
import arrowUp from 'lucide-static/icons/arrow-up.svg?raw';
import check from 'lucide-static/icons/check.svg?raw';
import chevronDown from 'lucide-static/icons/chevron-down.svg?raw';
import alert from 'lucide-static/icons/circle-alert.svg?raw';
import copy from 'lucide-static/icons/copy.svg?raw';
import folder from 'lucide-static/icons/folder-open.svg?raw';
import lock from 'lucide-static/icons/lock.svg?raw';
import monitor from 'lucide-static/icons/monitor.svg?raw';
import moon from 'lucide-static/icons/moon.svg?raw';
import sidebar from 'lucide-static/icons/panel-left.svg?raw';
import pause from 'lucide-static/icons/pause.svg?raw';
import play from 'lucide-static/icons/play.svg?raw';
import retry from 'lucide-static/icons/rotate-cw.svg?raw';
import settings from 'lucide-static/icons/settings-2.svg?raw';
import stop from 'lucide-static/icons/square.svg?raw';
import newChat from 'lucide-static/icons/square-pen.svg?raw';
import sun from 'lucide-static/icons/sun.svg?raw';
import trash from 'lucide-static/icons/trash-2.svg?raw';
import close from 'lucide-static/icons/x.svg?raw';
import { ownHtml } from '../trusted-types';

const drawings = {
  alert,
  arrowDown,
  arrowUp,
  check,
  chevronDown,
  close,
  copy,
  folder,
  lock,
  monitor,
  moon,
  newChat,
  pause,
  play,
  retry,
  settings,
  sidebar,
  stop,
  sun,
  trash,
} as const;

export type IconName = keyof typeof drawings;

/** A drawing from another chunk. */
export interface Drawing {
  readonly svg: string;
}

/** A Lucide drawing from our own bundle (never from outside), hidden from screen readers: its button has the name. */
export function Icon({ name }: { readonly name: IconName | Drawing }) {
  const isNamed = typeof name === 'string';
  return (
    <span
      class={isNamed ? `icon icon-${name}` : 'icon'}
      aria-hidden="true"
      dangerouslySetInnerHTML={{ __html: ownHtml(isNamed ? drawings[name] : name.svg) }}
    />
  );
}
