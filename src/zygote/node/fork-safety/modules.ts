import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { inFolder, short, type Workload, workload } from './workload.ts';

/** In a folder of its own: Node strips no types below node_modules, where this may stand. */
function withModule<T>(name: string, code: string, use: (path: string) => Promise<T> | T): Promise<T> {
  return inFolder((folder) => {
    const path = join(folder, name);
    writeFileSync(path, code);
    return use(path);
  });
}

const load = (path: string) => import(pathToFileURL(path).href);

/** Code that is loaded when the job runs. */
export const modules: readonly Workload[] = [
  short('import of an ES module', () =>
    withModule('a.mjs', 'const six = await 6; export const answer = six * 7;', async (path) => {
      assert.equal((await load(path)).answer, 42);
    }),
  ),
  short('import and require of CommonJS', () =>
    withModule(
      'a.cjs',
      "exports.answer = 42; exports.file = require('node:path').basename(__filename);",
      async (path) => {
        assert.deepEqual((await load(path)).default, { answer: 42, file: 'a.cjs' });
        assert.equal(createRequire(import.meta.url)(path).answer, 42);
      },
    ),
  ),
  workload('import of TypeScript', () =>
    withModule(
      'a.mts',
      'interface Answer { readonly is: number }\nexport const answer: Answer = { is: 42 } satisfies Answer;',
      async (path) => assert.equal((await load(path)).answer.is, 42),
    ),
  ),
  workload('the stack of an error in TypeScript', () =>
    withModule(
      'a.mts',
      'type None =\n  never;\nexport const fail = (): None => {\n  throw new Error("here");\n};\n',
      async (path) => {
        const { fail } = await load(path);
        assert.throws(fail, (error: Error) => /at fail .*a\.mts:4:9/.test(error.stack ?? ''));
      },
    ),
  ),
  workload('import of JSON, and of what is not there', () =>
    withModule('a.json', '{"answer":42}', async (path) => {
      const { default: value } = await import(pathToFileURL(path).href, { with: { type: 'json' } });
      assert.equal(value.answer, 42);
      await assert.rejects(load(`${path}.mjs`), { code: 'ERR_MODULE_NOT_FOUND' });
    }),
  ),
  workload('many modules at a time', () =>
    inFolder(async (folder) => {
      const paths = Array.from({ length: 100 }, (_, index) => join(folder, `${index}.mjs`));
      for (const [index, path] of paths.entries()) writeFileSync(path, `export default ${index};`);
      const loaded = await Promise.all(paths.map(load));
      assert.deepEqual(
        loaded.map((each) => each.default),
        paths.map((_, index) => index),
      );
    }),
  ),
  workload('contexts of vm', () => {
    const context = vm.createContext({ n: 20 });
    vm.runInContext('n += 22; var own = [n]', context);
    assert.equal(context.n, 42);
    assert.notEqual(Object.getPrototypeOf(context.own), Array.prototype, 'it has its own Array');
    assert.throws(() => vm.runInNewContext('for (;;);', {}, { timeout: 5 }), {
      code: 'ERR_SCRIPT_EXECUTION_TIMEOUT',
    });
  }),
  short('new Function and eval', () => {
    assert.equal(new Function('a', 'b', 'return a * b')(6, 7), 42);
    // biome-ignore lint/security/noGlobalEval: it is what is tried
    assert.equal(eval('6 * 7'), 42);
  }),
];
