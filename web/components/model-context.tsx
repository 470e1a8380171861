import { formatCount } from '../i18n/format';
import { Segments } from './segments';

const CONTEXT_LENGTHS = [2048, 4096, 8192, 16384, 32768] as const;
export type ContextLength = (typeof CONTEXT_LENGTHS)[number];
/** What the engine takes where nothing is said. */
export const DEFAULT_CONTEXT: ContextLength = 8192;

interface ContextChoiceProps {
  readonly legend: string;
  readonly name: string;
  readonly chosen: number;
  readonly onChoose: (length: ContextLength) => void;
}

/** How many tokens a conversation may have; a model that is made for fewer keeps to them. */
export function ContextChoice({ legend, name, chosen, onChoose }: ContextChoiceProps) {
  const labels = Object.fromEntries(CONTEXT_LENGTHS.map((length) => [length, formatCount(length)])) as Record<
    ContextLength,
    string
  >;
  const nearest = CONTEXT_LENGTHS.find((length) => length >= chosen) ?? 32768;
  return (
    <Segments
      legend={legend}
      name={name}
      options={CONTEXT_LENGTHS}
      labels={labels}
      chosen={nearest}
      onChoose={onChoose}
    />
  );
}
