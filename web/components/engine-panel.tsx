import { useEffect, useState } from 'preact/hooks';
import { chatWords } from '../i18n/chat';
import { formatBytes, formatCount, formatShare } from '../i18n/format';
import { words } from '../i18n/locale';
import { stats } from '../state/engine';
import { watchStats } from '../state/engine-numbers';

const PANEL_ID = 'engine-panel';

interface Row {
  readonly name: string;
  readonly values: readonly string[];
}

function rows(): readonly Row[] {
  const current = stats.value;
  const { engine } = chatWords.value;
  if (current === null || current.model === null) return [];
  const { gpu, promptTokens } = current;
  const reused = promptTokens === 0 ? 0 : current.prefixHitTokens / promptTokens;
  return [
    {
      name: engine.gpu,
      values: [gpu?.description || [gpu?.vendor, gpu?.architecture].filter(Boolean).join(' ')],
    },
    {
      name: engine.arithmetic,
      values: [engine.maths[current.model.math], ...(gpu?.f16 === false ? [engine.noHalf] : [])],
    },
    { name: engine.weights, values: [formatBytes(current.weightBytes)] },
    { name: engine.kv, values: [formatBytes(current.kvBytes)] },
    {
      name: engine.blocks,
      values: [
        engine.blocksUsed(formatCount(current.kvBlocksUsed)),
        engine.blocksCached(formatCount(current.kvBlocksCached)),
        engine.blocksFree(formatCount(current.kvBlocksFree)),
      ],
    },
    {
      name: engine.sequences,
      values: [engine.sequencesText(formatCount(current.running), formatCount(current.waiting))],
    },
    { name: engine.reused, values: [formatShare(reused)] },
    { name: engine.generated, values: [formatCount(current.tokensGenerated)] },
  ];
}

function Facts() {
  useEffect(watchStats, []);
  const { engine } = chatWords.value;
  return (
    <>
      <h2>{engine.title}</h2>
      <dl class="facts">
        {rows().map(({ name, values }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {values.map((value) => (
                <span key={value}>{value}</span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <a href="./bench.html">{engine.bench}</a>
    </>
  );
}

/** How full the attention memory is; opens everything that the engine tells about itself, live. */
export function EnginePanel() {
  const current = stats.value;
  const [isOpen, setIsOpen] = useState(false);
  if (current === null || current.kvBlocksTotal === 0) return null;
  const { numbers } = words.value;
  const used = formatCount(current.kvBlocksUsed);
  const total = formatCount(current.kvBlocksTotal);
  return (
    <>
      <button
        type="button"
        class="kv-blocks"
        popovertarget={PANEL_ID}
        title={numbers.kvHint(formatCount(current.kvBlockTokens), formatBytes(current.kvBytes))}
      >
        <span class="wide">{numbers.kv(used, total)}</span>
        <span class="narrow">{numbers.kvShort(used, total)}</span>
      </button>
      <div
        id={PANEL_ID}
        class="actions panel"
        popover="auto"
        role="dialog"
        aria-label={chatWords.value.engine.title}
        onToggle={(event) => setIsOpen(event.newState === 'open')}
      >
        {isOpen && <Facts />}
      </div>
    </>
  );
}
