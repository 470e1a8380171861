import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, offerOf, TINY, test } from './hub-visit';
import { tinyCheckpoint } from './tiny-checkpoint';

/** Writes the tiny checkpoint to disk and returns its folder. */
function checkpointFolder(parent: string): string {
  const folder = join(parent, 'stories');
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of Object.entries(tinyCheckpoint()))
    if (typeof file === 'string' || file instanceof Uint8Array) writeFileSync(join(folder, name), file);
  return folder;
}

async function chooseFolder(page: Page, button: string, folder: string): Promise<void> {
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: button }).click();
  await (await chooser).setFiles(folder);
}

test('a folder is read without a directory picker, and starts from the cache after a reload', async ({
  page,
  chat,
}, info) => {
  await page.addInitScript(() => Reflect.deleteProperty(window, 'showDirectoryPicker'));
  const folder = checkpointFolder(info.outputPath());
  await chat.open();
  await chat.modelPicker.click();
  await chooseFolder(page, 'Open a folder', folder);
  await expect(offerOf(page)).toContainText('It fits.');
  await offerOf(page).getByRole('button', { name: 'Read the folder' }).click();
  await chat.ready();
  await chat.hearsWords('Once upon a time');

  await page.reload();
  await chat.ready();
  await expect(chat.modelPicker).toHaveAccessibleName(/stories/);
});

test('a folder from the directory picker starts after a reload without a question', async ({
  page,
  chat,
  hub,
}) => {
  await page.addInitScript(() => {
    window.showDirectoryPicker = async () =>
      (await navigator.storage.getDirectory()).getDirectoryHandle('stories');
  });
  await chat.open();
  await copyToOriginFolder(page, `${hub.origin}/${TINY}/resolve/main/`, Object.keys(tinyCheckpoint()));
  await chat.modelPicker.click();
  await page.getByRole('button', { name: 'Open a folder' }).click();
  await offerOf(page).getByRole('button', { name: 'Read the folder' }).click();
  await chat.ready();
  await page.reload();
  await chat.ready();
  await expect(chat.modelPicker).toHaveAccessibleName(/stories/);
});

test('files dropped on the page are a model too', async ({ page, chat, hub }) => {
  await chat.open();
  await expect(chat.box).toBeVisible();
  const transfer = await page.evaluateHandle(
    async ([folder, names]) => {
      const dropped = new DataTransfer();
      for (const name of names) {
        const response = await fetch(`${folder}${name}`);
        dropped.items.add(new File([await response.blob()], name));
      }
      return dropped;
    },
    [`${hub.origin}/${TINY}/resolve/main/`, Object.keys(tinyCheckpoint())] as const,
  );
  await expect(async () => {
    await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
    await expect(page.getByText('Drop the model folder here')).toBeVisible({ timeout: 500 });
  }).toPass();
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await expect(page.getByText('Drop the model folder here')).toHaveCount(0);
  await expect(offerOf(page)).toContainText('260K parameters');
});

/** The origin's private folder stands in for one on the disk: a page may open it without asking. */
async function copyToOriginFolder(page: Page, from: string, names: readonly string[]): Promise<void> {
  await page.evaluate(
    async ([folder, files]) => {
      const root = await navigator.storage.getDirectory();
      const directory = await root.getDirectoryHandle('stories', { create: true });
      for (const name of files) {
        const response = await fetch(`${folder}${name}`);
        const writable = await (await directory.getFileHandle(name, { create: true })).createWritable();
        await writable.write(await response.blob());
        await writable.close();
      }
    },
    [from, names] as const,
  );
}
