import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Fit } from '../../src/index';
import { formatBytes, formatCompact } from '../i18n/format';
import { pickerWords } from '../i18n/picker';
import { cachedModels, modelState } from '../state/engine';
import { hub } from '../state/hub';
import { hubName } from '../state/hub-name';
import { chooseContext, loadChoice } from '../state/load-settings';
import { CATALOG, type CatalogModel, repoOn, WORTH_TRYING } from '../state/model-catalog';
import { chooseNew } from '../state/model-choosing';
import { fitIn, type ModelMemory, modelMemory } from '../state/model-memory';
import { findRoom, gpuRoom } from '../state/model-room';
import { DEFAULT_WEIGHT_BITS } from '../state/models';
import { inPicker } from '../state/picker-error';
import { Icon } from './icon';
import { ContextChoice, type ContextLength, DEFAULT_CONTEXT } from './model-context';

/** Outlive the menu. */
const search = signal('');
/** null: each model's own choice, which is the default where there is none. */
const context = signal<ContextLength | null>(null);

/** Models below this run on phones. */
const MAX_PHONE_PARAMETERS = 0.7e9;
/** A gibibyte of memory as browsers report it, rounded down to a power of two. */
const PHONE_MEMORY_GIB = 4;

interface Candidate {
  readonly model: CatalogModel;
  readonly memory: ModelMemory;
  readonly fit: Fit | null;
}

function candidates(host: string | null): readonly Candidate[] {
  return CATALOG.map((model) => {
    const own = host === null ? undefined : loadChoice(repoOn(host, model.repo)).contextLength;
    const contextLength = Math.min(context.value ?? own ?? DEFAULT_CONTEXT, model.shape.maxPositions);
    const memory = modelMemory(model.shape, DEFAULT_WEIGHT_BITS, contextLength);
    return { model, memory, fit: fitIn(memory, gpuRoom.value) };
  });
}

function isPhone(): boolean {
  const gibibytes = 'deviceMemory' in navigator ? Number(navigator.deviceMemory) : Number.POSITIVE_INFINITY;
  return matchMedia('(pointer: coarse) and (max-width: 34rem)').matches || gibibytes <= PHONE_MEMORY_GIB;
}

/** The best of those worth trying that fits; null while nothing is known of the card. */
function recommended(all: readonly Candidate[]): string | null {
  const most = isPhone() ? MAX_PHONE_PARAMETERS : Number.POSITIVE_INFINITY;
  const fitting = all.filter(({ fit, memory }) => fit === 'fits' && memory.parameters <= most);
  const repos = new Set(fitting.map(({ model }) => model.repo));
  return WORTH_TRYING.find((repo) => repos.has(repo)) ?? null;
}

/** What can be used comes first; within that, the order of the catalogue. */
function rank({ model, fit }: Candidate, best: string | null): number {
  if (model.repo === best) return 0;
  return { fits: 1, tight: 2, 'too-big': 3 }[fit ?? 'fits'];
}

/** Every word of the search is somewhere in what the row says. */
function matches({ repo, family, licence }: CatalogModel, text: string): boolean {
  const said = `${repo} ${family} ${licence}`.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => said.includes(word));
}

function choose(model: CatalogModel, host: string): void {
  const id = repoOn(host, model.repo);
  if (context.value !== null) chooseContext(id, context.value);
  chooseNew({ kind: 'hub', id, host, weightBits: DEFAULT_WEIGHT_BITS, isComplete: false });
}

function Badges({ model, memory, isBest }: Candidate & { readonly isBest: boolean }) {
  const text = pickerWords.value.catalog;
  return (
    <>
      {isBest && <span class="badge badge-best">{text.recommended}</span>}
      {memory.parameters <= MAX_PHONE_PARAMETERS && <span class="badge">{text.phone}</span>}
      {model.isGated && <span class="badge">{text.gated}</span>}
    </>
  );
}

function Verdict({ fit, memory }: Candidate) {
  const text = pickerWords.value.catalog;
  const needs = text.needs(formatBytes(memory.totalBytes), DEFAULT_WEIGHT_BITS);
  if (fit === null) return <span class="catalog-fit">{needs}</span>;
  return (
    <span class={`catalog-fit catalog-${fit}`}>
      {needs} · <strong>{text.fits[fit]}</strong>
    </span>
  );
}

function Row({ candidate, host, isBest }: RowProps) {
  const text = pickerWords.value.catalog;
  const { model, memory } = candidate;
  const stored = cachedModels.value.filter(({ id }) => id === repoOn(host, model.repo));
  const isWhole = stored.some(({ complete }) => complete);
  const state = isWhole ? text.downloaded : stored.length > 0 ? text.begun : null;
  return (
    <li class="model-row">
      <button type="button" class="model-choice" onClick={() => choose(model, host)}>
        <span class="model-name">
          {model.name}
          <Badges {...candidate} isBest={isBest} />
        </span>
        <span class="model-facts">
          {text.facts(formatCompact(memory.parameters), model.licence, formatBytes(memory.downloadBytes))}
        </span>
        <span class="model-facts">
          <Verdict {...candidate} />
          {state !== null && (
            <span class="catalog-state">
              {isWhole && <Icon name="check" />}
              {state}
            </span>
          )}
        </span>
      </button>
    </li>
  );
}

interface RowProps {
  readonly candidate: Candidate;
  readonly host: string;
  readonly isBest: boolean;
}

function Search() {
  const text = pickerWords.value.catalog;
  return (
    <input
      class="field"
      type="search"
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      aria-label={text.search}
      placeholder={text.search}
      value={search}
      onInput={(event) => {
        search.value = event.currentTarget.value;
      }}
    />
  );
}

function RoomHint() {
  const text = pickerWords.value.catalog;
  const room = gpuRoom.value;
  if (room === null) return <p class="hint">{text.roomUnknown}</p>;
  const bytes = formatBytes(room.freeBytes);
  return <p class="hint">{room.isSoftware ? text.roomSoftware : text.room(bytes)}</p>;
}

/** Models known by name, with what they need of this computer. Choosing one looks it up on the hub, and asks. */
export function ModelCatalog() {
  const text = pickerWords.value.catalog;
  const host = hub.value;
  const { status } = modelState.value;
  useEffect(() => {
    // not while a load may need the memory
    if (status !== 'loading') void inPicker(findRoom, 'no-webgpu');
  }, [status]);
  const all = candidates(host);
  const best = recommended(all);
  const found = all
    .filter(({ model }) => matches(model, search.value.trim()))
    .toSorted((a, b) => rank(a, best) - rank(b, best));
  return (
    <div class="catalog">
      <Search />
      <ContextChoice
        legend={text.context}
        name="catalog-context"
        chosen={context.value ?? DEFAULT_CONTEXT}
        onChoose={(chosen) => {
          context.value = chosen;
        }}
      />
      <RoomHint />
      {host === null ? (
        <p class="hint hint-bad">{pickerWords.value.field.invalidHub}</p>
      ) : (
        <ul class="model-list" aria-label={text.list}>
          {found.map((candidate) => (
            <Row
              key={candidate.model.repo}
              candidate={candidate}
              host={host}
              isBest={candidate.model.repo === best}
            />
          ))}
        </ul>
      )}
      {found.length === 0 && <p class="hint">{text.none}</p>}
      {host !== null && <p class="hint">{text.from(hubName(host))}</p>}
    </div>
  );
}
