import { readdirSync, readFileSync } from 'node:fs';
import { type HubFiles, HubServer } from '../e2e/hub-server';
import { hugeCheckpoint, tinyCheckpoint } from '../e2e/tiny-checkpoint';
import { expect, type Stage, test } from './stage';

const KNOWN = 'HuggingFaceTB/SmolLM2-135M-Instruct';
const TEXT = /\.(json|jinja|txt)$/;

function malformed(name: string): HubFiles {
  const folder = new URL(`../fixtures/malformed/${name}/`, import.meta.url);
  const names = readdirSync(folder).filter((file) => file !== 'expect.json');
  const read = (file: string) => readFileSync(new URL(file, folder));
  return Object.fromEntries(
    names.map((file) => [file, TEXT.test(file) ? read(file).toString() : read(file)]),
  );
}

async function withHub(stage: Stage, work: (hub: HubServer) => Promise<void>): Promise<void> {
  const hub = new HubServer({
    [KNOWN]: tinyCheckpoint(),
    'tiny/huge': hugeCheckpoint(),
    'tiny/damaged': malformed('st-header-longer-than-file'),
    'tiny/experts': malformed('arch-qwen3-moe'),
  });
  await hub.listen();
  await stage.page.addInitScript(
    (own) => localStorage.setItem('tabmind.hub', JSON.stringify({ choice: 'own', own })),
    hub.origin,
  );
  await stage.page.goto('./');
  await work(hub);
  hub.close();
  await stage.page.evaluate(() => {
    localStorage.removeItem('tabmind.hub');
    localStorage.removeItem('tabmind.models');
  });
}

async function lookUp(stage: Stage, address: string): Promise<void> {
  await stage.page.locator('.model-button').click();
  await stage.page.locator('.menu-models [type=radio]').first().check({ force: true });
  await stage.page.locator('#model-address').fill(address);
  await stage.page.locator('#model-address').press('Enter');
}

/** Leaves the page hardly any room beside what it keeps already, as a full disk does. */
async function fillDisk(stage: Stage): Promise<() => Promise<void>> {
  const session = await stage.page.context().newCDPSession(stage.page);
  const { origin } = new URL(stage.page.url());
  const usage = await stage.page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0);
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: usage + 50_000 });
  // so long Chromium goes by the room that it found at the last write
  await stage.page.waitForTimeout(31_000);
  return async () => {
    await session.send('Storage.overrideQuotaForOrigin', { origin });
  };
}

test('the model picker', async ({ stage }) => {
  const { page } = stage;
  await page.goto('./');
  await stage.chat.ready();
  await page.locator('.model-button').click();
  await page.waitForTimeout(500);
  await stage.take('models-mine');
  await page.locator('.menu-models details summary').last().click();
  await stage.take('models-hub');
  await page.locator('.menu-models [type=radio]').nth(1).check({ force: true });
  await expect(page.locator('.catalog-fit strong').first()).toBeVisible({ timeout: 30_000 });
  await stage.take('models-catalog');
  await page.locator('.catalog [type=search]').fill('qwen');
  await stage.take('models-search');
  await page.locator('.catalog [type=search]').fill('');
  await page.locator('.menu-models [type=radio]').nth(2).check({ force: true });
  await expect(page.locator('.storage-row').first()).toBeVisible();
  await stage.take('models-storage');
});

test('a model is offered, downloaded and paused', async ({ stage }) => {
  const { page } = stage;
  await withHub(stage, async (hub) => {
    hub.behaviour.bytesPerSecond = 8_000;
    await lookUp(stage, KNOWN);
    await expect(page.locator('.offer')).toBeVisible();
    await stage.take('models-offer');
    await page.locator('.offer-actions .button').first().click();
    await expect(page.locator('.load-numbers')).toContainText(/\/s.*\d/, { timeout: 30_000 });
    await page.waitForTimeout(2500);
    await stage.take('models-downloading');
    await page.locator('.load-actions .text-button').first().click();
    await page.waitForTimeout(500);
    await stage.take('models-paused');
    delete hub.behaviour.bytesPerSecond;
    await page.locator('.load-actions .text-button').last().click();
    await expect(page.locator('.load-idle')).toBeVisible();
    await stage.take('models-idle');
  });
});

test('models that cannot be used', async ({ stage }) => {
  const { page } = stage;
  await withHub(stage, async (hub) => {
    await lookUp(stage, 'tiny/huge');
    await expect(page.locator('.offer')).toBeVisible();
    await stage.take('error-too-big');
    await lookUp(stage, 'tiny/damaged');
    await expect(page.locator('.error, .offer-problem').first()).toBeVisible();
    await page.waitForTimeout(300);
    await stage.take('error-damaged');
    await lookUp(stage, 'tiny/experts');
    await page.waitForTimeout(800);
    await stage.take('error-unsupported');
    hub.behaviour.token = 'hf_secret';
    await lookUp(stage, KNOWN);
    await page.waitForTimeout(800);
    await stage.take('error-gated');
    delete hub.behaviour.token;
    const emptyDisk = await fillDisk(stage);
    await lookUp(stage, KNOWN);
    await page.locator('.offer-actions .button').first().click();
    await expect(page.locator('.dock .error')).toBeVisible();
    await stage.take('error-quota');
    await emptyDisk();
  });
});

test('without WebGPU, an adapter, or a network', async ({ stage }) => {
  const { page } = stage;
  await page.goto('./');
  await stage.chat.ready();
  await page.context().setOffline(true);
  await page.waitForTimeout(300);
  await stage.take('offline');
  await page.context().setOffline(false);
  const noGpu = () => Reflect.deleteProperty(Navigator.prototype, 'gpu');
  await page.addInitScript(noGpu);
  await page.goto('./');
  await expect(page.locator('.capability')).toBeVisible();
  await stage.take('error-no-webgpu');
});
