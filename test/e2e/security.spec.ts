import type { Page } from '@playwright/test';
import { ATTACKS } from '../markdown/attacks';
import { expect, test } from './markdown-page';

/**
 * DOMPurify reads in a document that is never shown. It has the page's policy, and the browser reports what that refuses
 * there, before it is taken out.
 */
const IN_PARSER =
  /^(Executing inline event handler|Applying inline style|Setting the document's base URI|This document requires 'TrustedScript' assignment\. An HTMLScriptElement was directly modified)/;

/** Elements and attributes that no answer may have, as HTML. */
function findings(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => {
    const answer = document.querySelector('#answer .answer-text');
    if (answer === null) return ['there is no answer'];
    const FORBIDDEN =
      'script, style, link, meta, base, iframe, frame, object, embed, form, input, select, textarea';
    const MEDIA = 'img, picture, source, video, audio, image, use, template, dialog, foreignObject, mglyph';
    // the page's own parts of an answer: frames of tables, and code blocks with their icons
    const isOwn = (element: Element) =>
      element.closest('.code-head') !== null || element.matches('.code-block');
    const found: string[] = [];
    for (const element of answer.querySelectorAll('*')) {
      if (isOwn(element)) continue;
      const isForbidden = element.matches(
        `${FORBIDDEN}, ${MEDIA}, svg, [id], [name], [popover], [ping], [download]`,
      );
      const isMath = element.namespaceURI === 'http://www.w3.org/1998/Math/MathML';
      for (const { name, value } of element.attributes) {
        const isBad =
          name.startsWith('on') ||
          (name === 'style' && (!isMath || /url|expression|position/i.test(value))) ||
          (/href|src|action/.test(name) && !/^(https?:\/\/|mailto:)/.test(value)) ||
          (name === 'class' && /dock|toast/.test(value));
        if (isBad) found.push(`${name}="${value}" in ${element.outerHTML}`);
      }
      if (isForbidden) found.push(element.outerHTML);
      if (element.matches('a[href]') && element.getAttribute('rel') !== 'noopener noreferrer')
        found.push(`without rel: ${element.outerHTML}`);
    }
    return found;
  });
}

for (const pieceChars of [0, 10]) {
  test(`no text of a model runs, fetches or leaves its answer: ${pieceChars ? 'in pieces' : 'at once'}`, async ({
    page,
    visit,
  }) => {
    test.slow();
    expect(ATTACKS.length).toBeGreaterThanOrEqual(60);
    const popups: string[] = [];
    page.on('popup', (popup) => popups.push(popup.url()));
    page.on('dialog', (dialog) => popups.push(dialog.message()));
    for (const attack of ATTACKS) {
      await page.evaluate(([text, size]) => markdownPage.show(`Before\n\n${text}\n\nAfter`, size), [
        attack,
        pieceChars,
      ] as const);
      expect(await findings(page), attack).toEqual([]);
    }
    // what stands in an answer may be touched
    await page.evaluate(() => {
      for (const element of document.querySelectorAll<HTMLElement>('#answer .answer-text *')) {
        for (const type of ['pointerover', 'mouseover', 'focus', 'animationstart'])
          element.dispatchEvent(new Event(type, { bubbles: true }));
      }
    });
    await page.waitForTimeout(300);
    expect(await page.evaluate(() => 'pwned' in window)).toBe(false);
    expect(visit.requests.filter((url) => new URL(url).origin !== new URL(visit.url).origin)).toEqual([]);
    expect(visit.problems.filter((text) => !IN_PARSER.test(text))).toEqual([]);
    expect(popups).toEqual([]);
    expect(page.url()).toBe(visit.url);
  });
}

test('all attacks in one answer, and all of them as one line', async ({ page, visit }) => {
  for (const separator of ['\n\n', ' ', '\n']) {
    await page.evaluate((text) => markdownPage.show(text, 400), ATTACKS.join(separator));
    expect(await findings(page)).toEqual([]);
  }
  expect(await page.evaluate(() => 'pwned' in window)).toBe(false);
  expect(visit.requests.filter((url) => new URL(url).origin !== new URL(visit.url).origin)).toEqual([]);
  expect(visit.problems.filter((text) => !IN_PARSER.test(text))).toEqual([]);
});

test('the attacks do harm where nothing keeps them from it', async ({ page }) => {
  // Without this, a mistake in the test above would look like safety.
  await page.route('https://evil.invalid/**', (route) => route.abort());
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.setContent(
    `<body>${ATTACKS.filter((text) => text.startsWith('<'))
      .slice(0, 30)
      .join('\n')}</body>`,
  );
  await expect.poll(() => page.evaluate(() => 'pwned' in window)).toBe(true);
  expect(requests.some((url) => url.startsWith('https://evil.invalid'))).toBe(true);
});

test.describe('the content policy of both pages', () => {
  for (const path of ['./', './bench.html']) {
    test(`${path} allows nothing inline and no script from elsewhere`, async ({ page, baseURL }) => {
      const response = await page.goto(path);
      const header = response?.headers()['content-security-policy'] ?? '';
      const meta = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
      expect(header).toContain(meta);
      expect(header).toContain("frame-ancestors 'none'");
      for (const policy of [header, meta ?? '']) {
        expect(policy).toContain("default-src 'none'");
        expect(policy).toContain("script-src 'self';");
        expect(policy).toContain("require-trusted-types-for 'script'");
        expect(policy).not.toMatch(/unsafe|data:[^;]*script|script-src[^;]*(https?:|\*)/);
      }
      expect(new URL(page.url()).origin).toBe(new URL(baseURL ?? '').origin);
      const outcomes = await page.evaluate(async () => {
        const blocked: string[] = [];
        document.addEventListener('securitypolicyviolation', (event) =>
          blocked.push(event.effectiveDirective),
        );
        const refuses = (work: () => unknown): boolean => {
          try {
            work();
            return false;
          } catch {
            return true;
          }
        };
        // the debugger that runs this code lifts the ban on evaluation for as long as it waits
        await new Promise((done) => setTimeout(done));
        const results = {
          html: refuses(() => {
            document.createElement('div').innerHTML = '<b>x</b>';
          }),
          evaluation: refuses(() => new Function('return 1')),
          worker: refuses(() => new Worker('https://evil.invalid/worker.js')),
        };
        const image = document.createElement('img');
        image.src = 'https://evil.invalid/pixel.png';
        document.body.append(image);
        const styled = document.createElement('p');
        styled.setAttribute('style', 'color: red');
        document.body.append(styled);
        await new Promise((done) => setTimeout(done, 100));
        return { ...results, blocked: [...new Set(blocked)].sort() };
      });
      expect(outcomes).toMatchObject({ html: true, evaluation: true, worker: true });
      expect(outcomes.blocked).toEqual(
        expect.arrayContaining(['img-src', 'require-trusted-types-for', 'style-src-attr']),
      );
    });
  }
});
