import { ANSWERS } from './answers';
import { expect, type Stage, test } from './stage';

const QUESTIONS = {
  en: ['Who are you?', 'My name is Ada. What is 27 + 15?', 'Tell me a story about a dragon'],
  zh: ['你是谁？', '我叫小艾。27 + 15 等于几？', '讲一个关于龙的故事'],
} as const;

const NOTES_QUESTION = { en: 'Which decisions do these notes hold?', zh: '这些记录里有哪些决定？' } as const;

function notes(numLines: number) {
  const buffer = Buffer.from('# Notes\n'.repeat(numLines));
  return { name: 'meeting-notes.md', mimeType: 'text/plain', buffer };
}

async function attach(stage: Stage, ...files: readonly ReturnType<typeof notes>[]): Promise<void> {
  const chooser = stage.page.waitForEvent('filechooser');
  await stage.page.locator('.attach-button').click();
  await (await chooser).setFiles([...files]);
}

/** The transcript at its top, where most answers begin. */
async function scrollToTop(stage: Stage): Promise<void> {
  await stage.page.locator('.transcript').evaluate((box) => box.scrollTo({ top: 0, behavior: 'instant' }));
  await stage.page.waitForTimeout(300);
}

test.beforeEach(async ({ stage }) => {
  await stage.page.goto('./');
  await stage.chat.ready();
});

test('a new chat', async ({ stage }) => {
  await stage.take('chat-empty');
  await stage.page.locator('.temporary').click();
  await stage.take('chat-temporary');
});

test('the starter answers', async ({ stage }) => {
  const [first, second, third] = QUESTIONS[stage.options.language];
  await stage.chat.ask(first);
  await stage.chat.ask(second);
  await stage.chat.send(third);
  await expect(stage.chat.lastText).toHaveText(/.{25}/, { timeout: 60_000 });
  await stage.take('chat-generating');
  await stage.chat.answer();
  await stage.take('chat-starter');
  await stage.page.locator('.kv-blocks').click();
  await expect(stage.page.locator('#engine-panel a')).toBeVisible();
  await stage.take('engine-panel');
});

test('answers with code, tables, formulas and thoughts', async ({ stage }) => {
  const { page } = stage;
  const { sorting, proof, thinking, trip } = ANSWERS[stage.options.language];
  await stage.openChat(sorting[0]?.[0] ?? '');
  await stage.take('chat-table');
  await scrollToTop(stage);
  await stage.take('chat-code');
  await stage.openChat(trip[0]?.[0] ?? '');
  await stage.take('chat-lists');
  await stage.openChat(thinking[0]?.[0] ?? '');
  await stage.take('chat-thinking-folded');
  await page.locator('.thinking summary').click();
  await stage.take('chat-thinking');
  await stage.openChat(proof[0]?.[0] ?? '');
  await page.locator('.numbers summary').last().click();
  await stage.take('chat-numbers');
});

test('editing, deleting, attaching, prompts', async ({ stage }) => {
  const { page } = stage;
  const { proof } = ANSWERS[stage.options.language];
  await stage.openChat(proof[0]?.[0] ?? '');
  await page.locator('.question .edit').last().click({ force: true });
  await stage.take('chat-edit');
  await page.keyboard.press('Escape');
  await page.locator('.answer .remove').last().click();
  await expect(page.locator('.toast')).toBeVisible();
  await stage.take('chat-deleted');
  await page.locator('.toast .text-button').click();
  await page.locator('.new-chat').click();
  await attach(stage, notes(90), { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.from([0, 1]) });
  await expect(page.locator('.attach-problem')).not.toBeEmpty();
  await stage.chat.box.fill('/');
  await expect(page.getByRole('option').first()).toBeVisible();
  await stage.take('chat-prompts');
  await stage.chat.box.fill('');
});

test('a context that is nearly full, and a question that does not fit', async ({ stage }) => {
  const { page } = stage;
  await stage.openChat(ANSWERS[stage.options.language].long.question);
  await page.locator('button.context').click();
  await stage.take('context-choice');
  await page.keyboard.press('Escape');
  await attach(stage, notes(900));
  await stage.chat.send(NOTES_QUESTION[stage.options.language]);
  await expect(page.locator('.answer .error')).toBeVisible();
  await stage.take('error-context-full');
});

test('the list of chats, search and shortcuts', async ({ stage }) => {
  const { page } = stage;
  await stage.openChat(ANSWERS[stage.options.language].trip[0]?.[0] ?? '');
  if (stage.isPhone) await page.locator('.top-bar button').first().click();
  await stage.take('history');
  await page.locator('.history-more').first().click({ force: true });
  await stage.take('history-menu');
  await page.keyboard.press('Escape');
  await page.locator('.sidebar-search').click();
  await stage.take('search-empty');
  await page.locator('.search input').fill(stage.options.language === 'zh' ? '排序' : 'sort');
  await expect(page.locator('.hit').first()).toBeVisible();
  await stage.take('search');
  await page.keyboard.press('Escape');
  if (stage.isPhone) return;
  await page.locator('.sidebar-help').click();
  await expect(page.locator('.shortcuts')).toBeVisible();
  await stage.take('shortcuts');
});
