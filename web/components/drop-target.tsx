import { useEffect, useState } from 'preact/hooks';
import { pickerWords } from '../i18n/picker';
import { folderFromDrop } from '../state/folders';
import { chooseNew, openPicker } from '../state/model-choosing';
import { inPicker, pickerError } from '../state/picker-error';
import { Icon } from './icon';

/** Text that is dragged into the message box is none of our business. */
const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

async function take(transfer: DataTransfer): Promise<void> {
  await inPicker(async () => {
    const model = await folderFromDrop(transfer);
    if (model !== null) chooseNew(model);
  }, 'not-found');
  if (pickerError.value !== null) openPicker();
}

/** Listens for folders dragged over the window; returns what ends the listening. */
function watchDrags(show: (isOver: boolean) => void): () => void {
  const stop = new AbortController();
  const on = (type: 'dragenter' | 'dragover' | 'dragleave' | 'drop', act: (event: DragEvent) => void): void =>
    addEventListener(
      type,
      (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        act(event);
      },
      { signal: stop.signal },
    );
  on('dragenter', () => show(true));
  on('dragover', () => show(true));
  // leaving one element means entering another, except at the edge of the window
  on('dragleave', (event) => {
    if (event.relatedTarget === null) show(false);
  });
  on('drop', (event) => {
    show(false);
    if (event.dataTransfer) void take(event.dataTransfer);
  });
  return () => stop.abort();
}

/** Covers the page while files are dragged over it, so that it is plain where to let go: anywhere. */
export function DropTarget() {
  const [isOver, setIsOver] = useState(false);
  useEffect(() => watchDrags(setIsOver), []);
  if (!isOver) return null;
  const { folder } = pickerWords.value;
  return (
    <div class="drop">
      <div class="drop-frame">
        <Icon name="folder" />
        <strong>{folder.drop}</strong>
        <p>{folder.dropHint}</p>
      </div>
    </div>
  );
}
