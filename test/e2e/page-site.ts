import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PAGE_HEADERS } from '../../web/content-policy.mjs';
import { serve } from '../../web/serve.mjs';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/** The built page below a path of a server of its own, which can be down, and whose service worker can change. */
export class PageSite {
  readonly #folder: string;
  #server: Awaited<ReturnType<typeof serve>> | null = null;
  #port = 0;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'tabmind-site-'));
    const page = join(this.#folder, 'some/path');
    mkdirSync(page, { recursive: true });
    for (const name of readdirSync(DIST)) {
      if (name === 'sw.js') copyFileSync(join(DIST, name), join(page, name));
      else symlinkSync(join(DIST, name), join(page, name));
    }
  }

  get url(): string {
    return `http://localhost:${this.#port}/some/path/`;
  }

  /** The same address every time. */
  async start(): Promise<void> {
    this.#server = await serve({ root: this.#folder, pageHeaders: PAGE_HEADERS, port: this.#port });
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }

  /** Any other byte makes another version. */
  publishVersion(): void {
    appendFileSync(join(this.#folder, 'some/path/sw.js'), '\n// another version');
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
