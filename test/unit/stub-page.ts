import { vi } from 'vitest';

function storageOf(kept: Map<string, string>) {
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

const onVisibility: (() => void)[] = [];

/** The person comes back to the tab. */
export function show(): void {
  for (const look of onVisibility) look();
}

/** Globals that the page's modules look at when they are imported. Returns what localStorage keeps. */
export function stubPage(): Map<string, string> {
  const kept = new Map<string, string>();
  vi.stubGlobal('document', {
    baseURI: 'http://localhost/',
    visibilityState: 'visible',
    getElementById: () => null,
    addEventListener: (_: 'visibilitychange', look: () => void) => void onVisibility.push(look),
  });
  vi.stubGlobal('localStorage', storageOf(kept));
  vi.stubGlobal('sessionStorage', storageOf(new Map()));
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('addEventListener', () => undefined);
  return kept;
}
