// The protocol of a browser, over a WebSocket; the browser is Debian's.
import assert from 'node:assert/strict';
import { launch } from 'puppeteer-core';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('puppeteer-core: a page in Chromium', async () => {
    const browser = await launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    });
    const page = await browser.newPage();
    await page.setContent('<title>of the page</title><h1>Heading</h1>');
    assert.equal(await page.title(), 'of the page');
    assert.equal(await page.$eval('h1', ({ textContent }) => textContent), 'Heading');
    assert.ok((await page.screenshot()).length > 1_000);
    await browser.close();
  }),
]);
