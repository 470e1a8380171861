import { formatCount } from '../i18n/format';
import { Segments } from './segments';

const CONTEXT_LENGTHS = [2048, 4096, 8192, 16384, 32768] as const;
export const SHORTEST_CONTEXT = CONTEXT_LENGTHS[0];
export type ContextLength = (typeof CONTEXT_LENGTHS)[number];
/** What the engine takes where nothing is said. */
export const DEFAULT_CONTEXT: ContextLength = 8192;

interface ContextChoiceProps {
  readonly legend: string;
  /** Longer ones are not offered. */
  readonly most?: number;
  readonly name: string;
  readonly chosen: number;
  readonly onChoose: (length: ContextLength) => void;
}

/** How many tokens a conversation may have. */
export function ContextChoice({ legend, name, most, chosen, onChoose }: ContextChoiceProps) {
  const options = CONTEXT_LENGTHS.filter((length) => length <= (most ?? length));
  const labels = Object.fromEntries(CONTEXT_LENGTHS.map((length) => [length, formatCount(length)])) as Record<
    ContextLength,
    string
  >;
  const nearest = options.find((length) => length >= chosen) ?? DEFAULT_CONTEXT;
  return (
    <Segments
      legend={legend}
      name={name}
      options={options}
      labels={labels}
      chosen={nearest}
      onChoose={onChoose}
    />
  );
}
