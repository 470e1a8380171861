import type { Fit, Inspection } from '../../src/index';
import { formatBytes, formatCompact, formatCount } from '../i18n/format';
import { words } from '../i18n/locale';
import { pickerWords } from '../i18n/picker';
import { interruptedBytes } from '../state/engine';
import { accept, openPicker } from '../state/model-choosing';
import { modelName, type PageModel } from '../state/models';
import { closeOffer, type Offer, offer, offerContext, offerModel } from '../state/offer';
import { Icon } from './icon';
import { MemoryBar } from './memory-bar';
import { ContextChoice, SHORTEST_CONTEXT } from './model-context';
import { OfferProblem } from './offer-problem';
import { Segments } from './segments';

const WEIGHT_BITS = [4, 8, 16] as const;

function Facts({ inspection }: { readonly inspection: Inspection }) {
  const text = pickerWords.value.offer;
  const { checkpointBytes, packedBytes, kvBytes, scratchBytes, contextLength } = inspection;
  const facts = [
    [text.download, checkpointBytes > 0 ? formatBytes(checkpointBytes) : text.nothing],
    [text.memory, formatBytes(packedBytes + kvBytes + scratchBytes)],
    [text.context, text.tokens(formatCount(contextLength))],
  ];
  return (
    <dl class="offer-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Verdict({ inspection: { fits, reason } }: { readonly inspection: Inspection }) {
  const text = pickerWords.value.offer;
  return (
    <div class={`verdict verdict-${fits}`}>
      <Icon name={fits === 'fits' ? 'check' : 'alert'} />
      <div>
        <strong>{text.verdicts[fits]}</strong> {text.advice[fits]}
        {fits !== 'fits' && (
          <details>
            <summary>{words.value.error.details}</summary>
            <p class="error-details">{reason}</p>
          </details>
        )}
      </div>
    </div>
  );
}

function WeightBits({ model }: { readonly model: PageModel }) {
  const text = pickerWords.value.offer;
  return (
    <div class="offer-bits">
      <Segments
        legend={text.bits}
        name="weight-bits"
        options={WEIGHT_BITS}
        labels={text.bitsLabels}
        chosen={model.weightBits}
        onChoose={(weightBits) => void offerModel({ ...model, weightBits, isComplete: false })}
      />
      <p class="hint">{text.bitsNotes[model.weightBits]}</p>
    </div>
  );
}

function Context({ model, inspection }: { readonly model: PageModel } & Looked) {
  const text = pickerWords.value.offer;
  const { contextLength: chosen, maxContextLength } = inspection;
  if (maxContextLength < 2 * SHORTEST_CONTEXT) return null;
  return (
    <details class="offer-context">
      <summary>{text.contextChosen(formatCount(chosen))}</summary>
      <ContextChoice
        legend={text.contextChoice}
        name="context-length"
        most={maxContextLength}
        chosen={chosen}
        onChoose={(contextLength) => void offerContext(model, contextLength)}
      />
    </details>
  );
}

function startLabel(model: PageModel, inspection: Inspection, hereBytes: number): string {
  const text = pickerWords.value.offer;
  if (inspection.cached) return text.load;
  if (model.kind === 'folder') return text.read;
  return hereBytes > 0 ? text.goOn : text.start(formatBytes(inspection.checkpointBytes));
}

function Actions({ asked, fits }: { readonly asked: Offer & Looked; readonly fits: Fit }) {
  const text = pickerWords.value.offer;
  const { model, inspection, isLooking } = asked;
  const hereBytes = inspection.cached ? 0 : interruptedBytes(model);
  return (
    <>
      {hereBytes > 0 && <p class="hint">{text.here(formatBytes(hereBytes))}</p>}
      <div class="offer-actions">
        {fits === 'too-big' ? (
          <button type="button" class="button" onClick={openPicker}>
            {text.other}
          </button>
        ) : (
          <button type="button" class="button" disabled={isLooking} onClick={accept}>
            {isLooking ? text.looking : startLabel(model, inspection, hereBytes)}
          </button>
        )}
        <button type="button" class="button button-quiet" onClick={closeOffer}>
          {text.cancel}
        </button>
      </div>
    </>
  );
}

interface Looked {
  readonly inspection: Inspection;
}

function fullId(model: PageModel): string {
  const pinned = model.kind === 'hub' && model.revision !== undefined;
  return pinned ? `${model.id}@${model.revision}` : model.id;
}

/** What a model needs, whether it fits, and the question whether to download it. */
export function OfferCard() {
  const asked = offer.value;
  const text = pickerWords.value.offer;
  if (asked === null) return null;
  const { model, inspection, error, isLooking } = asked;
  if (error !== null) return <OfferProblem model={model} error={error} />;
  if (inspection === null) return null;
  const name = modelName(model);
  return (
    <section class={isLooking ? 'card offer offer-looking' : 'card offer'} aria-label={text.title(name)}>
      <header class="offer-head">
        <strong>{name}</strong>
        <span class="hint">
          {text.facts(fullId(model), inspection.architecture, formatCompact(inspection.parameters))}
        </span>
      </header>
      <Facts inspection={inspection} />
      <MemoryBar inspection={inspection} />
      <WeightBits model={model} />
      <Context model={model} inspection={inspection} />
      <Verdict inspection={inspection} />
      {!inspection.hasTokenizer && <p class="hint hint-bad">{text.noTokenizer}</p>}
      <Actions asked={{ ...asked, inspection }} fits={inspection.fits} />
    </section>
  );
}
