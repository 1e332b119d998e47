// A browser's document in JavaScript, in a context of vm.
import assert from 'node:assert/strict';
import { JSDOM } from 'jsdom';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('jsdom: a document with a script', async () => {
    const script =
      "document.querySelector('p').textContent = 'by a script'; setTimeout(() => { window.late = 6 * 7 }, 5)";
    const { window } = new JSDOM(
      `<p class="a">text</p><ul>${'<li>item</li>'.repeat(500)}</ul><script>${script}</script>`,
      {
        runScripts: 'dangerously',
      },
    );
    assert.equal(window.document.querySelector('p.a')?.textContent, 'by a script');
    assert.equal(window.document.querySelectorAll('ul > li:nth-child(even)').length, 250);
    await new Promise((resolve) => window.setTimeout(resolve, 20));
    assert.equal(window.late, 42);
    window.close();
  }),
]);
