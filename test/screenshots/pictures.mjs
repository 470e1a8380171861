// The pictures of the README, from what `npm run screenshots` has left: node test/screenshots/pictures.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../chromium.mjs';

/** Picture → screen that it shows, and how wide it is kept, in pixels. */
const PICTURES = {
  chat: ['chat-code.desktop.en.light', 1600],
  'chat-zh': ['chat-table.desktop.zh.dark', 1600],
  models: ['models-catalog.desktop.en.light', 1280],
  search: ['search.desktop.en.dark', 1280],
  settings: ['settings-answers.desktop.en.dark', 1280],
  'phone-thinking': ['chat-thinking.phone.en.light', 585],
  'phone-models': ['models-catalog.phone.en.dark', 585],
  'phone-table': ['chat-table.phone.zh.light', 585],
  'phone-history': ['history.phone.zh.dark', 585],
};
const QUALITY = 0.86;

/** In the page: the picture as WebP, as a data URL. */
async function shrink([png, width, quality]) {
  const image = await createImageBitmap(await (await fetch(png)).blob());
  const scale = Math.min(1, width / image.width);
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/webp', quality);
}

const screens = new URL('../../test-results/screens/', import.meta.url);
const docs = new URL('../../docs/', import.meta.url);
const browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] });
const page = await browser.newPage();
for (const [name, [screen, width]] of Object.entries(PICTURES)) {
  const png = readFileSync(new URL(`${screen}.png`, screens)).toString('base64');
  const url = await page.evaluate(shrink, [`data:image/png;base64,${png}`, width, QUALITY]);
  const bytes = Buffer.from(url.split(',')[1], 'base64');
  writeFileSync(new URL(`${name}.webp`, docs), bytes);
  console.log(`docs/${name}.webp: ${Math.round(bytes.length / 1000)} kB`);
}
await browser.close();
