import { readFileSync } from 'node:fs';
import type { PageLanguage } from './chats';

/** An answer; thinking stands in its text, as the model wrote it. */
export interface Written {
  readonly text: string;
  readonly thinkingMs?: number;
  readonly numTokens?: number;
}

type Turn = readonly [question: string, ...answers: Written[]];

interface Title {
  readonly title: string;
  readonly ageDays: number;
  readonly answer: string;
  readonly isPinned?: boolean;
}

interface Answers {
  readonly sorting: readonly Turn[];
  readonly trip: readonly Turn[];
  readonly proof: readonly Turn[];
  readonly thinking: readonly Turn[];
  /** Fills nearly the whole context of the starter. */
  readonly long: { readonly question: string; readonly answer: string; readonly numTokens: number };
  readonly titles: readonly Title[];
}

/** Texts in Markdown, one file for each language: `# name` begins one. */
function texts(language: PageLanguage): (name: string) => string {
  const file = readFileSync(new URL(`answers-${language}.md`, import.meta.url), 'utf8');
  const parts = new Map(
    file.split(/^# /m).map((part) => {
      const [name = '', ...lines] = part.split('\n');
      return [name.trim(), lines.join('\n').trim()];
    }),
  );
  return (name) => {
    const text = parts.get(name);
    if (text === undefined) throw new Error(`answers-${language}.md has no "${name}".`);
    return text;
  };
}

function answersIn(language: PageLanguage): Answers {
  const text = texts(language);
  const turn = (name: string): Turn => [text(`${name}: question`), { text: text(name) }];
  return {
    sorting: [turn('code'), turn('table')],
    trip: [turn('trip')],
    proof: [[text('proof: question'), { text: text('proof: first version') }, { text: text('proof') }]],
    thinking: [[text('thinking: question'), { text: text('thinking'), thinkingMs: 3200 }]],
    long: { question: text('long: question'), answer: text('long'), numTokens: 910 },
    titles: text('titles')
      .split('\n')
      .map((line, index): Title => {
        const [ageDays = '0', title = '', answer = ''] = line.split(' | ');
        return { title, ageDays: Number(ageDays), answer, isPinned: index === 0 };
      }),
  };
}

export const ANSWERS: Readonly<Record<PageLanguage, Answers>> = {
  en: answersIn('en'),
  zh: answersIn('zh'),
};
