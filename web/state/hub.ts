import { computed, effect, signal } from '@preact/signals';
import type { HubPreset } from '../../src/index';
import { readLocalRecord, writeLocalRecord } from '../storage/local-record';
import type { PageModel } from './models';

export const HUBS = ['huggingface', 'hf-mirror', 'modelscope', 'own'] as const satisfies readonly (
  | HubPreset
  | 'own'
)[];
export type HubChoice = (typeof HUBS)[number];

const KEY = 'hub';
const stored = readLocalRecord(KEY) ?? {};

/** Where `owner/name` is looked up. */
export const hubChoice = signal<HubChoice>(HUBS.find((name) => name === stored.choice) ?? 'huggingface');

/** Base URL of the person's own hub, as typed. */
export const ownHub = signal(typeof stored.own === 'string' ? stored.own : '');

/** What a HubModel calls the chosen hub; null while its own address is no http(s) URL. */
export const hub = computed<string | null>(() => {
  if (hubChoice.value !== 'own') return hubChoice.value;
  const text = ownHub.value.trim().replace(/\/+$/, '');
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? text : null;
});

/** Whether access tokens outlive the page. */
export const remembersTokens = signal(stored.tokens !== undefined);

/** By hub, so that a token never goes to another one than it was typed for. */
const tokens = signal<Readonly<Record<string, string>>>(stringsOf(stored.tokens));

export function tokenOf(host: string): string {
  return tokens.value[host] ?? '';
}

export function setToken(host: string, token: string): void {
  const { [host]: _, ...others } = tokens.value;
  const text = token.trim();
  tokens.value = text === '' ? others : { ...others, [host]: text };
}

/** The token for the hub of this model; undefined where there is none, and for models that lie on no hub. */
export function tokenFor(model: PageModel): string | undefined {
  return model.kind === 'hub' ? tokens.value[model.host] : undefined;
}

/** Tokens are written only when the person asked for it. */
export function keepHub(): () => void {
  return effect(() => {
    const kept = remembersTokens.value ? { tokens: tokens.value } : {};
    writeLocalRecord(KEY, { choice: hubChoice.value, own: ownHub.value, ...kept });
  });
}

function stringsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(([, token]) => typeof token === 'string');
  return Object.fromEntries(entries);
}
