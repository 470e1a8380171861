/** The parts of the File System Access API that only some browsers have, so TypeScript leaves them out. */

interface Window {
  showDirectoryPicker?: (options?: { readonly mode?: 'read' }) => Promise<FileSystemDirectoryHandle>;
}

interface FileSystemHandle {
  queryPermission?: (options: { readonly mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (options: { readonly mode: 'read' }) => Promise<PermissionState>;
}

interface DataTransferItem {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}
