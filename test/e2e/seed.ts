import { expect, type Page } from '@playwright/test';

const DAY_MS = 86_400_000;

const end = {
  status: 'done',
  finishReason: 'stop',
  usage: {
    prompt_tokens: 20,
    completion_tokens: 10,
    total_tokens: 30,
    prompt_tokens_details: { cached_tokens: 4 },
  },
  timings: {
    ttftMs: 100,
    totalMs: 300,
    tpotMs: 20,
    itlP95Ms: 25,
    prefillTokensPerSecond: 200,
    decodeTokensPerSecond: 50,
  },
};

const CALL =
  '<tool_call>\n{"name": "look_up", "arguments": {"words": "<b>more</b>", "limit": 3}}\n</tool_call>';

/** A conversation of one question, two versions of its answer, and a second turn. */
function conversation(id: string, title: string, ageDays: number) {
  const createdMs = Date.now() - ageDays * DAY_MS;
  const place = (message: string, parent: string | null, after: number) => ({
    version: 1,
    conversation: id,
    id: `${id}-${message}`,
    parent: parent === null ? null : `${id}-${parent}`,
    createdMs: createdMs + after,
  });
  const answer = { role: 'assistant', model: 'tabmind/starter', end, thinkingMs: null };
  return {
    version: 1,
    id,
    title,
    isNamed: false,
    isPinned: false,
    systemPrompt: '',
    dropsOldest: false,
    createdMs,
    updatedMs: createdMs,
    leaf: `${id}-a2`,
    messages: [
      { ...place('q1', null, 0), role: 'user', text: title },
      { ...place('a0', 'q1', 1), ...answer, text: `The first answer about ${title}` },
      {
        ...place('a1', 'q1', 2),
        ...answer,
        thinkingMs: 1500,
        text: `<think>Let me see.</think>The better answer about ${title}`,
      },
      { ...place('q2', 'a1', 3), role: 'user', text: 'And what else?' },
      { ...place('a2', 'q2', 4), ...answer, text: `Nothing more about ${title}\n${CALL}` },
    ],
  };
}

/** An export file with chats of today, yesterday and long ago. */
export const SEED = JSON.stringify({
  format: 'tabmind-conversations',
  version: 1,
  conversations: [
    conversation('sky', 'Why is the sky blue?', 0),
    conversation('poem', '写一首关于秋天的诗', 1),
    conversation('cat', 'Names for a ginger cat', 60),
  ],
});

/** Opens the settings at one of their tabs. */
export async function openSettings(page: Page, tab: string | RegExp): Promise<void> {
  await page.getByRole('button', { name: /^(Settings|设置)$/ }).click();
  await page.getByRole('tab', { name: tab }).click();
}

/** Brings chats in as a person does: from a file. */
export async function importChats(page: Page, text: string): Promise<void> {
  await openSettings(page, /^(Data|数据)$/);
  const file = { name: 'chats.json', mimeType: 'application/json', buffer: Buffer.from(text) };
  await page.locator('input[type=file]').setInputFiles(file);
  await expect(page.locator('.import-outcome')).not.toBeEmpty();
}
