/**
 * What the page tells the service worker. `take-over`: the waiting version becomes the one in use. `keep-starter`: copy the
 * starter model, because its converted weights are not in the browser's storage; `drop-starter`: they are now.
 */
export type WorkerMessage = 'take-over' | 'keep-starter' | 'drop-starter';
