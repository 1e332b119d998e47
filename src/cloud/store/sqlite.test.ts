import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { contractSuite } from './contract-suite/index.ts';
import { openStore } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-store-'));
after(() => rmSync(folder, { recursive: true }));

let count = 0;
const newFile = (): string => join(folder, `${++count}.db`);
const options = { schema: 'create', onIdleError: assert.ifError } as const;

contractSuite(async () => `sqlite:${newFile()}`, { sharing: false });

test('the file is nobody else’s to read', async () => {
  const file = newFile();
  await using store = await openStore(`sqlite:${file}`, options);
  assert.equal(store.place, file);
  for (const name of [file, `${file}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
});

test('a file that is not there is not made by who only looks, and says so', async () => {
  await assert.rejects(openStore(`sqlite:${newFile()}`, { ...options, schema: 'check' }), {
    code: 'unreachable',
  });
  await assert.rejects(openStore('mysql://root:secret@host/db', options), {
    code: 'bad_url',
    message: 'a store is sqlite:FILE or postgres://…, not mysql:…',
  });
});

test('somebody else’s database is not made a store', async () => {
  const file = newFile();
  using database = new DatabaseSync(file);
  database.exec('CREATE TABLE customers (id integer)');
  await assert.rejects(openStore(`sqlite:${file}`, options), { code: 'schema_missing' });
});

test('a store of a later release is refused', async () => {
  const file = newFile();
  await (await openStore(`sqlite:${file}`, options))[Symbol.asyncDispose]();
  using database = new DatabaseSync(file);
  database.exec(
    "INSERT INTO rocksy_migration (name, timestamp) VALUES ('0099-later', '2030-01-01T00:00:00Z')",
  );
  await assert.rejects(openStore(`sqlite:${file}`, options), { code: 'schema_newer', message: /0099-later/ });
});

test('a store of the release before is refused until it is migrated, and has what it had', async () => {
  const file = newFile();
  {
    await using store = await openStore(`sqlite:${file}`, options);
    await store.settings.set('mine', 1);
  }
  {
    using database = new DatabaseSync(file);
    database.exec(
      "DROP TABLE next_due; ALTER TABLE hosts DROP COLUMN confirmed; DELETE FROM rocksy_migration WHERE name <> '0001-first'",
    );
  }
  await assert.rejects(openStore(`sqlite:${file}`, options), {
    code: 'schema_older',
    message: /lacks 0002-next-due, 0003-confirmed$/,
    hint: 'run `rocksy store migrate`',
  });
  await using store = await openStore(`sqlite:${file}`, { ...options, schema: 'migrate' });
  assert.deepEqual(await store.migrate(), ['0002-next-due', '0003-confirmed']);
  await store.checkSchema();
  assert.equal(await store.settings.get('mine'), 1);
});

test('a backup that is made while others write is a store, whole up to some moment', async () => {
  const [file, copy] = [newFile(), newFile()];
  await using store = await openStore(`sqlite:${file}`, options);
  const write = async (n: number): Promise<void> => {
    const definition = { project: 'p', name: `job-${n}`, schedule: [] } as never;
    await store.jobs.apply([definition], { by: 'ann', nowMs: n, prune: [], dryRun: false });
  };
  for (let n = 0; n < 50; n++) await write(n);
  const backup = store.backup(copy);
  for (let n = 50; n < 100; n++) await write(n);
  await backup;
  await using restored = await openStore(`sqlite:${copy}`, { ...options, schema: 'check' });
  const names = (await restored.jobs.list()).map(({ definition }) => definition.name);
  assert.ok(names.length >= 50);
  const expected = Array.from({ length: names.length }, (_, n) => `job-${n}`);
  assert.deepEqual(names.toSorted(), expected.toSorted());
});
