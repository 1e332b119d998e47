import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { openStore, type Store } from '../../cloud/store/index.ts';
import { type Ended, start } from '../fixtures/rocksy.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rocksy-store-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function rocksyStore(url: string | undefined, ...args: string[]): Promise<Ended> {
  return start(['store', ...args], { env: { ROCKSY_STORE: url } }).ended;
}

const open = (url: string): Promise<Store> =>
  openStore(url, { schema: 'create', onIdleError: assert.ifError });

/** The `n`th of writes that follow each other: a setting, and an entry that says so. */
async function write(store: Store, n: number): Promise<void> {
  await store.audit.record({ atMs: n, who: 'test', what: 'write', target: `number ${n}`, detail: n });
  await store.settings.set('written', n);
}

test('migrate sets a store up, once, and status tells where it stands', async (t) => {
  const file = join(folder(t), 'store.db');
  const url = `sqlite:${file}`;
  const none = await rocksyStore(url, 'status');
  assert.equal(none.code, 1);
  assert.match(
    none.err,
    /^rocksy: The store .*store\.db can't be opened: ENOENT.*\n.*`rocksy store migrate`/,
  );
  assert.equal(existsSync(file), false, 'who looks makes nothing');
  const applied = 'applied 0001-first\napplied 0002-next-due\napplied 0003-confirmed\n';
  assert.deepEqual(await rocksyStore(url, 'migrate'), { code: 0, out: applied, err: '' });
  assert.deepEqual(await rocksyStore(undefined, 'migrate', '--store', url, '--json'), {
    code: 0,
    out: `${JSON.stringify({ place: file, applied: [] })}\n`,
    err: '',
  });
  const { code, out } = await rocksyStore(url, 'status');
  assert.equal(code, 0);
  assert.match(
    out,
    /^store +.*store\.db\nschema +of this release\nleader +none.*\n\nMIGRATION.*\n0001-first +2/,
  );
  const json = JSON.parse((await rocksyStore(url, 'status', '--json')).out);
  assert.deepEqual([json.current, json.leader, json.migrations.length], [true, null, 3]);
});

test('no store named is wrong usage; a password is never told', async () => {
  const { code, err } = await rocksyStore('', 'status');
  assert.deepEqual([code, err.split('\n')[0]], [2, 'rocksy: No store is named']);
  const away = await rocksyStore('postgres://ann:secret@127.0.0.1:1/rocksy', 'status');
  assert.equal(away.code, 1);
  assert.match(away.err, /^rocksy: The store 127\.0\.0\.1\/rocksy can't be opened: .*ECONNREFUSED/);
  assert.doesNotMatch(away.out + away.err, /secret/);
  const help = await start(['store', '--help']).ended;
  assert.match(help.out, /PGPASSWORD or from the file PGPASSFILE/);
});

test('copy takes everything into an empty store, and into no other', async (t) => {
  const path = folder(t);
  const [one, other] = [`sqlite:${join(path, 'one.db')}`, `sqlite:${join(path, 'other.db')}`];
  await using store = await open(one);
  for (let n = 0; n < 10; n++) await write(store, n);
  const fence = await store.leases.acquire('leader', 'server-1', 60_000);
  assert.ok(fence !== null);
  const led = await rocksyStore(one, 'copy', other);
  assert.equal(led.code, 1);
  assert.match(led.err, /^rocksy: server-1 works with .*one\.db\nStop it first/);
  await store.leases.release(fence);
  const { code, out, err } = await rocksyStore(one, 'copy', other);
  assert.deepEqual(
    [code, err.replaceAll(path, '')],
    [0, '/one.db is copied to /other.db, and counted there.\n'],
  );
  assert.match(out, /^audit: 10$/m);
  const again = await rocksyStore(one, 'copy', other, '--json');
  assert.equal(again.code, 1);
  assert.match(JSON.parse(again.err).error.message, /other\.db is not empty: there are rows in audit$/);
  await using copied = await open(other);
  assert.deepEqual(await copied.audit.list({}), await store.audit.list({}));
});

test('a backup that is made under load is put back, and has everything up to some moment', async (t) => {
  const path = folder(t);
  const [file, copy] = [join(path, 'store.db'), join(path, 'backup.db')];
  const store = await open(`sqlite:${file}`);
  let n = 0;
  for (; n < 200; n++) await write(store, n);
  let backup: Ended | undefined;
  const { ended } = start(['store', 'backup', copy], { env: { ROCKSY_STORE: `sqlite:${file}` } });
  void ended.then((end) => {
    backup = end;
  });
  for (; backup === undefined; n++) {
    await write(store, n);
    await setImmediate();
  }
  assert.deepEqual(backup, { code: 0, out: `${copy}\n`, err: '' });
  assert.ok(n > 200, 'it was written to meanwhile');
  for (let late = n + 10; n < late; n++) await write(store, n);
  // As docs/store.md has it: stop, put the file back, start.
  await store[Symbol.asyncDispose]();
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
  copyFileSync(copy, file);

  await using restored = await openStore(`sqlite:${file}`, { schema: 'check', onIdleError: assert.ifError });
  const written = await restored.settings.get<number>('written');
  assert.ok(written !== null && written >= 199 && written < n - 10, `${written} of ${n}`);
  const numbers: unknown[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Store['audit']['list']>> = await restored.audit.list({
      limit: 1000,
      ...(cursor === null ? {} : { cursor }),
    });
    numbers.push(...page.items.map(({ detail }) => detail));
    cursor = page.next;
  } while (cursor !== null);
  // Each write is two commits; the backup may stand between them.
  const last = Math.max(written, Number(numbers[0]));
  assert.ok(last - written <= 1);
  assert.deepEqual(
    numbers,
    Array.from({ length: last + 1 }, (_, i) => last - i),
  );
  await write(restored, n);
});

test('a backup goes nowhere but where it can be written, and never over the store', async (t) => {
  const file = join(folder(t), 'store.db');
  const url = `sqlite:${file}`;
  await (await open(url))[Symbol.asyncDispose]();
  const self = await rocksyStore(url, 'backup', file);
  assert.match(`${self.code} ${self.err}`, /^1 rocksy: .*store\.db is the store itself\n/);
  const nowhere = await rocksyStore(url, 'backup', '/nonexistent/backup.db');
  assert.match(`${nowhere.code} ${nowhere.err}`, /^1 rocksy: The backup .* can't be written: ENOENT/);
});
