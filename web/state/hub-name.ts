import { type HubPreset, repositoryOf } from '../../src/index';
import { HUBS } from './hub';

const PRESETS: readonly HubPreset[] = HUBS.filter((name) => name !== 'own');

/** What people call a hub: its host. `hub` is a preset or a base URL. */
export function hubName(hub: string): string {
  return new URL(originOf(hub)).host;
}

/** The preset at this origin; the origin itself where there is none. */
export function hubAt(origin: string): HubPreset | URL['href'] {
  return PRESETS.find((preset) => originOf(preset) === origin) ?? origin;
}

function originOf(hub: string): string {
  return repositoryOf({ kind: 'hub', id: 'owner/name', host: hub }).host.origin;
}
