import { createStore, del, get, set } from 'idb-keyval';
import { type FolderModel, TabmindError } from '../../src/index';

export type FolderFiles = FolderModel['files'];

const handles = createStore('tabmind-folders', 'handles');

/** What was opened since the page was, by model id. */
const opened = new Map<string, FolderFiles>();

/** A handle outlives the page; a list of files does not, for keeping it would copy the weights. */
export async function keepFolder(id: string, files: FolderFiles): Promise<void> {
  opened.set(id, files);
  try {
    if ('kind' in files) await set(id, files, handles);
    else await del(id, handles);
  } catch (thrown) {
    console.warn('tabmind could not remember the folder; after a reload it has to be opened again.', thrown);
  }
}

/** The handle that is kept for this model, or null. Throws `storage`. */
export async function folderHandle(id: string): Promise<FileSystemDirectoryHandle | null> {
  const known = opened.get(id);
  if (known) return 'kind' in known ? known : null;
  try {
    return (await get<FileSystemDirectoryHandle>(id, handles)) ?? null;
  } catch (thrown) {
    throw TabmindError.from(thrown, 'storage');
  }
}

/** What the engine reads; without files it can only find the model in its cache. */
export async function folderModel(id: string): Promise<FolderModel> {
  return { kind: 'folder', id, files: opened.get(id) ?? (await folderHandle(id)) ?? [] };
}

export async function forgetFolder(id: string): Promise<void> {
  opened.delete(id);
  await del(id, handles);
}
