import { vi } from 'vitest';

function storageOf(kept: Map<string, string>) {
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

/** Globals that the page's modules look at when they are imported. Returns what localStorage keeps. */
export function stubPage(): Map<string, string> {
  const kept = new Map<string, string>();
  vi.stubGlobal('document', { baseURI: 'http://localhost/', getElementById: () => null });
  vi.stubGlobal('localStorage', storageOf(kept));
  vi.stubGlobal('sessionStorage', storageOf(new Map()));
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('addEventListener', () => undefined);
  return kept;
}
