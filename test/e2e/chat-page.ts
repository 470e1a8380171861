import { expect, type Locator, type Page, type Request } from '@playwright/test';

/** On a software adapter the first visit converts 16 million weights on the CPU. */
const LOAD_TIMEOUT_MS = 150_000;
const ANSWER_TIMEOUT_MS = 120_000;

export interface OpenOptions {
  /** Most likely word every time, so that answers can be compared. Default true. */
  readonly greedy?: boolean;
  readonly language?: 'auto' | 'en' | 'zh';
  readonly theme?: 'system' | 'light' | 'dark';
}

/** Writes the settings record before the page's own code runs, unless the page already keeps one. */
export async function presetSettings(page: Page, options: OpenOptions = {}): Promise<void> {
  const record = { greedy: true, language: 'en', theme: 'system', ...options };
  await page.addInitScript((settings) => {
    if (localStorage.getItem('tabmind.settings') === null)
      localStorage.setItem('tabmind.settings', JSON.stringify(settings));
  }, record);
}

/** The chat page as a person sees it: by role and visible name. */
export class ChatPage {
  readonly page: Page;
  readonly requests: Request[] = [];
  readonly problems: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('request', (request) => this.requests.push(request));
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
  }

  get box(): Locator {
    return this.page.locator('#message');
  }

  get stopButton(): Locator {
    return this.page.getByRole('button', { name: /^(Stop|停止)$/ });
  }

  get newChatButton(): Locator {
    return this.page.getByRole('button', { name: /^(New chat|新对话)$/ });
  }

  get modelPicker(): Locator {
    return this.page.getByRole('button', { name: /^(Model picker|模型选择器)/ });
  }

  get questions(): Locator {
    return this.page.locator('article.question');
  }

  get answers(): Locator {
    return this.page.locator('article.answer');
  }

  get lastText(): Locator {
    return this.answers.last().locator('.turn-text');
  }

  async open(options: OpenOptions = {}): Promise<void> {
    await this.openAt('./', options);
  }

  async openAt(url: string, options: OpenOptions = {}): Promise<void> {
    await presetSettings(this.page, options);
    await this.page.goto(url);
  }

  async ready(): Promise<void> {
    await expect(this.modelPicker).toHaveAccessibleName(/(ready|就绪)$/, { timeout: LOAD_TIMEOUT_MS });
  }

  async send(text: string): Promise<void> {
    await this.box.fill(text);
    await this.box.press('Enter');
  }

  /** Opens the newest chat of the list whose title has `words`. */
  async openChat(words: string): Promise<void> {
    await this.page.locator('.history-title').filter({ hasText: words }).first().click();
    await expect(this.questions.first()).toContainText(words);
  }

  /** Opens the model picker at one of its parts. */
  async openPicker(view: 'My models' | 'Catalog' | 'Storage'): Promise<void> {
    await this.modelPicker.click();
    await this.page.getByRole('radio', { name: view, exact: true }).check();
  }

  /** Pastes `address` into the model picker. */
  async lookUp(address: string): Promise<void> {
    await this.modelPicker.click();
    await this.page.getByLabel('Model id or address').fill(address);
    await this.page.getByRole('button', { name: 'Look up' }).click();
  }

  /** Asks, and stops the answer as soon as there is a word of it. */
  async hearsWords(question: string): Promise<void> {
    await this.send(question);
    await expect(this.lastText).toHaveText(/\w{3}/, { timeout: ANSWER_TIMEOUT_MS });
    await this.page.keyboard.press('Escape');
    await expect(this.answers.last()).toHaveAttribute('aria-busy', 'false');
  }

  /** Requests to any other host than these. */
  foreignRequests(...origins: readonly string[]): readonly string[] {
    const urls = this.requests.map((request) => new URL(request.url()));
    const isLocal = ({ protocol }: URL) => protocol === 'data:' || protocol === 'blob:';
    return urls.filter((url) => !origins.includes(url.origin) && !isLocal(url)).map(String);
  }

  /** Waits for the end of the last answer and gives its text. */
  async answer(): Promise<string> {
    await expect(this.answers.last()).toHaveAttribute('aria-busy', 'false', { timeout: ANSWER_TIMEOUT_MS });
    await expect(this.answers.last().locator('.error')).toHaveCount(0);
    return this.lastWords();
  }

  async lastWords(): Promise<string> {
    return (await this.lastText.textContent()) ?? '';
  }

  async ask(text: string): Promise<string> {
    const before = await this.answers.count();
    await this.send(text);
    await expect(this.answers).toHaveCount(before + 1);
    return this.answer();
  }

  /** Pixels by which the page, or what reaches from side to side in it, is wider than its window. */
  overflow(): Promise<number> {
    return this.page.evaluate(() => {
      const parts = [...document.querySelectorAll('.top-bar, .dock, .dock > *, .composer > *')];
      const ends = parts.map((part) => part.getBoundingClientRect().right);
      return Math.max(document.documentElement.scrollWidth, ...ends) - innerWidth;
    });
  }
}
