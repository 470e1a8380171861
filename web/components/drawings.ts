import branchBefore from 'lucide-static/icons/chevron-left.svg?raw';
import branchNext from 'lucide-static/icons/chevron-right.svg?raw';
import download from 'lucide-static/icons/download.svg?raw';
import more from 'lucide-static/icons/ellipsis.svg?raw';
import file from 'lucide-static/icons/file-text.svg?raw';
import gauge from 'lucide-static/icons/gauge.svg?raw';
import help from 'lucide-static/icons/keyboard.svg?raw';
import temporary from 'lucide-static/icons/message-circle-dashed.svg?raw';
import attach from 'lucide-static/icons/paperclip.svg?raw';
import pencil from 'lucide-static/icons/pencil.svg?raw';
import pin from 'lucide-static/icons/pin.svg?raw';
import unpin from 'lucide-static/icons/pin-off.svg?raw';
import regenerate from 'lucide-static/icons/refresh-cw.svg?raw';
import instructions from 'lucide-static/icons/scroll-text.svg?raw';
import search from 'lucide-static/icons/search.svg?raw';
import goOn from 'lucide-static/icons/step-forward.svg?raw';
import undo from 'lucide-static/icons/undo-2.svg?raw';
import upload from 'lucide-static/icons/upload.svg?raw';

/** Drawings that the first paint does not need; `Icon` shows them like its own. */
export const DRAWINGS = {
  attach: { svg: attach },
  branchBefore: { svg: branchBefore },
  branchNext: { svg: branchNext },
  download: { svg: download },
  file: { svg: file },
  gauge: { svg: gauge },
  goOn: { svg: goOn },
  help: { svg: help },
  instructions: { svg: instructions },
  more: { svg: more },
  pencil: { svg: pencil },
  pin: { svg: pin },
  regenerate: { svg: regenerate },
  search: { svg: search },
  temporary: { svg: temporary },
  undo: { svg: undo },
  unpin: { svg: unpin },
  upload: { svg: upload },
} as const;
