import type { Inspection } from '../../src/index';
import { formatBytes } from '../i18n/format';
import { pickerWords } from '../i18n/picker';

/** Graphics memory by what it is for: a drawing for the eye, and the same in words. */
export function MemoryBar({ inspection }: { readonly inspection: Inspection }) {
  const text = pickerWords.value.offer;
  const { packedBytes, kvBytes, scratchBytes } = inspection;
  const totalBytes = packedBytes + kvBytes + scratchBytes;
  const parts = [
    { part: 'weights', bytes: packedBytes, label: text.weights(formatBytes(packedBytes)) },
    { part: 'kv', bytes: kvBytes, label: text.kv(formatBytes(kvBytes)) },
    { part: 'scratch', bytes: scratchBytes, label: text.scratch(formatBytes(scratchBytes)) },
  ] as const;
  let startPercent = 0;
  return (
    <div class="memory">
      <svg class="memory-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(({ part, bytes }) => {
          const percent = (100 * bytes) / totalBytes;
          const x = startPercent;
          startPercent += percent;
          return <rect key={part} class={`memory-${part}`} x={x} width={percent} height={4} />;
        })}
      </svg>
      <ul class="memory-parts">
        {parts.map(({ part, label }) => (
          <li key={part} class={`memory-part memory-part-${part}`}>
            {label}
          </li>
        ))}
      </ul>
    </div>
  );
}
