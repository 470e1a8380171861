import { ANSWERS, type Written } from './answers';

const DAY_MS = 86_400_000;
const TURN_MS = 60_000;

/** The languages of the page. */
export type PageLanguage = 'en' | 'zh';

/** A conversation as it is told: questions and answers in turn, of which the last shown version of each counts. */
interface Story {
  readonly id: string;
  readonly ageDays: number;
  readonly isPinned?: boolean;
  readonly turns: readonly (readonly [question: string, ...answers: Written[]])[];
}

const MODEL = 'Qwen/Qwen2.5-1.5B-Instruct';

/** Rates of a real card, in the same proportion for every length. */
function ended({ text, numTokens = Math.round(text.length / 3.6) }: Written, promptTokens: number) {
  const [decode, prefill, ttftMs] = [486, 9800, 14 + promptTokens / 60];
  return {
    status: 'done',
    finishReason: 'stop',
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: numTokens,
      total_tokens: promptTokens + numTokens,
      prompt_tokens_details: { cached_tokens: Math.max(0, promptTokens - 31) },
    },
    timings: {
      ttftMs,
      totalMs: ttftMs + (1000 * numTokens) / decode,
      tpotMs: 1000 / decode,
      itlP95Ms: 2.4,
      prefillTokensPerSecond: prefill,
      decodeTokensPerSecond: decode,
    },
  };
}

function conversation({ id, ageDays, isPinned = false, turns }: Story) {
  const createdMs = Date.now() - ageDays * DAY_MS - TURN_MS * turns.length;
  let parent: string | null = null;
  let promptTokens = 24;
  const messages = turns.flatMap(([question, ...answers], turn) => {
    const place = (name: string, after: string | null, step: number) => ({
      version: 1,
      conversation: id,
      id: `${id}-${turn}-${name}`,
      parent: after,
      createdMs: createdMs + TURN_MS * turn + 1000 * step,
    });
    const asked = { ...place('q', parent, 0), role: 'user', text: question };
    promptTokens += Math.round(question.length / 3);
    const given = answers.map((answer, version) => ({
      ...place(`a${version}`, asked.id, version + 1),
      role: 'assistant',
      model: MODEL,
      text: answer.text,
      thinkingMs: answer.thinkingMs ?? null,
      end: ended(answer, promptTokens),
    }));
    const last = given.at(-1);
    parent = last?.id ?? asked.id;
    promptTokens = (last?.end.usage.total_tokens ?? promptTokens) + 8;
    return [asked, ...given];
  });
  return {
    version: 1,
    id,
    title: turns[0]?.[0] ?? '',
    isNamed: false,
    isPinned,
    systemPrompt: '',
    dropsOldest: false,
    createdMs,
    updatedMs: messages.at(-1)?.createdMs ?? createdMs,
    leaf: parent,
    messages,
  };
}

const said = (text: string): Written => ({ text });

function stories(language: PageLanguage): readonly Story[] {
  const { sorting, trip, proof, thinking, titles, long } = ANSWERS[language];
  const short = titles.map(
    ({ title, ageDays, answer, isPinned = false }, index): Story => ({
      id: `short-${index}`,
      ageDays,
      isPinned,
      turns: [[title, said(answer)]],
    }),
  );
  return [
    { id: 'sorting', ageDays: 0, turns: sorting },
    { id: 'proof', ageDays: 0.02, turns: proof },
    { id: 'trip', ageDays: 1.1, isPinned: true, turns: trip },
    { id: 'thinking', ageDays: 0.04, turns: thinking },
    { id: 'long', ageDays: 0.06, turns: [[long.question, { text: long.answer, numTokens: long.numTokens }]] },
    ...short,
  ];
}

/** An export file with chats of many days, as a person might have them. */
export function exportFile(language: PageLanguage): string {
  return JSON.stringify({
    format: 'tabmind-conversations',
    version: 1,
    conversations: stories(language).map(conversation),
  });
}
