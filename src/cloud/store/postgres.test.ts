import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contractSuite } from './contract-suite/index.ts';
import { Postgres } from './fixtures/postgres.ts';
import { openStore } from './index.ts';

let postgres: Postgres;
before(async () => {
  postgres = await Postgres.start();
});
after(() => postgres[Symbol.asyncDispose]());

contractSuite(() => postgres.newDatabase(), { sharing: true });

test('two that set up the same database at once both find it set up', async () => {
  const url = await postgres.newDatabase();
  const stores = await Promise.all(
    [1, 2].map(() => openStore(url, { schema: 'create', onIdleError: assert.ifError })),
  );
  for (const store of stores) {
    assert.deepEqual(await store.jobs.list(), []);
    await store[Symbol.asyncDispose]();
  }
});

test('who asks for a backup is told of the tool for it', async () => {
  await using store = await openStore(await postgres.newDatabase(), {
    schema: 'create',
    onIdleError: assert.ifError,
  });
  await assert.rejects(store.backup('/nowhere'), { code: 'not_supported', hint: /pg_dump/ });
});

test('a dump that is made while others write is a store again, whole up to some moment', async () => {
  const [url, other] = [await postgres.newDatabase(), await postgres.newDatabase()];
  await using store = await openStore(url, { schema: 'create', onIdleError: assert.ifError });
  const write = (n: number): Promise<unknown> => store.events.append([{ n }], n);
  let n = 1;
  for (; n <= 50; n++) await write(n);
  let dumped = false;
  const dump = postgres.program('pg_dump', ['--format=custom', url]).then((bytes) => {
    dumped = true;
    return bytes;
  });
  for (; !dumped; n++) await write(n);
  await postgres.program('pg_restore', ['--exit-on-error', '--no-owner', `--dbname=${other}`], await dump);
  await using restored = await openStore(other, { schema: 'check', onIdleError: assert.ifError });
  const numbers = (await restored.events.after(0, n)).map(({ id }) => id);
  assert.ok(numbers.length >= 50 && numbers.length < n);
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => i + 1),
  );
  const next = await restored.events.append([{}], 0);
  assert.ok(next !== null && next > numbers.length, 'ids go on');
});

test('a server that is not there is refused, and no password is told', async () => {
  const url = 'postgres://user:secret@127.0.0.1:1/db';
  await assert.rejects(openStore(url, { schema: 'check', onIdleError: assert.ifError }), (error: Error) => {
    assert.doesNotMatch(`${error.message}${error.stack}`, /secret/);
    assert.match(error.message, /^The store 127\.0\.0\.1\/db can't be opened: .*ECONNREFUSED/);
    return true;
  });
});
