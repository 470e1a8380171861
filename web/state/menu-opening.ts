import { signal } from '@preact/signals';

/** How often the model picker was opened, so that what it shows can be read anew. */
export const menuOpenings = signal(0);
