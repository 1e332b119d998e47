import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client, RunRequest, RunView } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

const BOOTSTRAP = `
class Greet:
    def run(self, params):
        print("hello", params["name"])
        return {"greeted": params["name"]}
`;

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: web',
    pools: '  web: { runtime: python, interpreter: /usr/bin/python3, bootstrap: ./app/bootstrap.py, {user} }',
    files: { 'app/bootstrap.py': BOOTSTRAP },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function ended(key: string, request: Omit<RunRequest, 'key'>): Promise<RunView> {
  await client.run({ key, ...request });
  return await client.wait(key, { timeout_ms: 60_000 });
}

async function logOf(key: string): Promise<string> {
  return (await client.logs(key)).data.toString();
}

describe('a class of Python', { concurrency: true }, () => {
  test('is run, with its output in the log and what it returns as result', async () => {
    const run = await ended('greet', { class: 'Greet', params: { name: 'Ada' } });
    assert.deepEqual([run.outcome, run.code, run.error], ['succeeded', 0, null]);
    assert.deepEqual(run.result, { greeted: 'Ada' });
    assert.equal(await logOf('greet'), 'hello Ada\n');
  });
});
