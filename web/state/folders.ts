import type { FolderFile } from '../../src/index';
import { type FolderFiles, folderHandle, keepFolder } from './folder-handles';
import { DEFAULT_WEIGHT_BITS, type PageModel } from './models';

/** A checkpoint lies at most this deep in what is dropped: a folder, or the folder around it. */
const MAX_DEPTH = 2;

/** Null when the person closed the picker. */
export async function pickFolder(): Promise<PageModel | null> {
  return window.showDirectoryPicker === undefined ? pickByInput() : pickByHandle();
}

/** Another look at the folder of a model that was opened before: its permission, else the folder itself, is asked for. */
export async function reopenFolder(model: PageModel): Promise<PageModel | null> {
  const handle = await folderHandle(model.id);
  if ((await handle?.requestPermission?.({ mode: 'read' })) === 'granted') return model;
  const picked = await pickFolder();
  return picked && { ...picked, weightBits: model.weightBits };
}

/** A dropped folder, or dropped files of one. Call it inside the event: afterwards the browser hides what was dropped. */
export async function folderFromDrop(transfer: DataTransfer): Promise<PageModel | null> {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry());
  const files = [...transfer.files];
  const [first] = items;
  const handle = items.length === 1 ? await first?.getAsFileSystemHandle?.() : null;
  if (isDirectory(handle)) return folderEntry(handle.name, handle);
  const [top] = entries;
  if (entries.length === 1 && top?.isDirectory) return folderEntry(top.name, await filesBelow(top, 0));
  return files.length === 0 ? null : folderEntry('dropped', files);
}

function isDirectory(handle: FileSystemHandle | null | undefined): handle is FileSystemDirectoryHandle {
  return handle?.kind === 'directory';
}

async function pickByHandle(): Promise<PageModel | null> {
  try {
    const handle = await window.showDirectoryPicker?.({ mode: 'read' });
    return handle ? await folderEntry(handle.name, handle) : null;
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') return null;
    throw thrown;
  }
}

function pickByInput(): Promise<PageModel | null> {
  const input = document.createElement('input');
  input.type = 'file';
  input.webkitdirectory = true;
  return new Promise((resolve) => {
    input.addEventListener('cancel', () => resolve(null));
    input.addEventListener('change', () => {
      const files = [...(input.files ?? [])];
      const name = files[0]?.webkitRelativePath.split('/')[0] ?? '';
      resolve(files.length === 0 ? null : folderEntry(name, files));
    });
    input.click();
  });
}

async function folderEntry(name: string, files: FolderFiles): Promise<PageModel> {
  const id = `folder/${name}`;
  await keepFolder(id, files);
  return { kind: 'folder', id, weightBits: DEFAULT_WEIGHT_BITS, isComplete: false };
}

async function filesBelow(entry: FileSystemEntry, depth: number): Promise<readonly FolderFile[]> {
  if (isFileEntry(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath, file }];
  }
  if (!isDirectoryEntry(entry) || depth > MAX_DEPTH) return [];
  const found: Promise<readonly FolderFile[]>[] = [];
  const reader = entry.createReader();
  // a reader hands out a batch at a time, and none when it is through
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return (await Promise.all(found)).flat();
    found.push(...batch.map((inner) => filesBelow(inner, depth + 1)));
  }
}

function isFileEntry(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectoryEntry(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
