/** What of a service worker's globals is used here; TypeScript's own description cannot stand beside that of pages. */
export interface WorkerScope {
  readonly registration: { readonly scope: string };
  addEventListener(type: 'message', listener: (event: WorkerMessageEvent) => void): void;
  skipWaiting(): Promise<void>;
}

export interface WorkerMessageEvent {
  readonly data: unknown;
  /** The worker is kept alive until `work` is done. */
  waitUntil(work: Promise<unknown>): void;
}
