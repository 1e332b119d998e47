import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCloseOnExec, listenUnix, probeUnix } from '../posix/index.ts';
import { Listeners } from './listeners.ts';

const folder = mkdtempSync(join(tmpdir(), 'listeners-'));
after(() => rmSync(folder, { recursive: true }));

const patience = { deadlineMs: 0, signal: new AbortController().signal, onWait: () => undefined };
const tcp = { name: 'tcp', kind: 'tcp', host: 'localhost', port: 0, backlog: 1 } as const;
const unix = { name: 'unix', kind: 'unix', path: join(folder, 'x.sock'), mode: 0o600, backlog: 1 } as const;

test('the host may be a name, and names of listeners are unique', async () => {
  const listeners = new Listeners();
  const { address, fd } = await listeners.open(tcp, patience);
  assert.match(address, /^localhost:\d+$/);
  assert.ok(isCloseOnExec(fd));
  await assert.rejects(listeners.open(tcp, patience), { name: 'KeeperError', code: 'duplicate_listener' });
  listeners.close();
  assert.deepEqual(listeners.all, []);
});

test('a socket file is waited for while somebody listens, replaced when nobody does, and removed at the end', async () => {
  const fd = listenUnix(unix);
  await assert.rejects(new Listeners().open(unix, patience), {
    code: 'address_in_use',
    message: `${unix.path} is in use by process ${process.pid}`,
  });
  closeSync(fd);
  const listeners = new Listeners();
  await listeners.open(unix, patience);
  assert.equal(probeUnix(unix.path).state, 'live');
  listeners.close();
  assert.equal(existsSync(unix.path), false);
});

test('a socket file that is not ours any more is left alone', async () => {
  const listeners = new Listeners();
  await listeners.open(unix, patience);
  unlinkSync(unix.path);
  writeFileSync(unix.path, 'of somebody else');
  listeners.close();
  assert.ok(existsSync(unix.path));
  unlinkSync(unix.path);
});
