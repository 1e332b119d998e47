import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { after, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { bindDatagram, isReadable, receiveDescriptors, sendDatagram } from '../posix/index.ts';
import { begin } from './lifecycle.ts';
import { ServiceManager, withoutServiceVariables } from './notify.ts';

const address = `@rocksy-notify-test-${process.pid}`;
const socket = bindDatagram(address);
after(() => closeSync(socket));

const limits = {
  backoff: { firstMs: 1, maxMs: 1, resetAfterMs: 1 },
  readyTimeoutMs: 1,
  stopTimeoutMs: 1,
  takeoverTimeoutMs: 1,
};

async function received(): Promise<string> {
  while (!isReadable(socket, 1)) await nextTurn();
  return receiveDescriptors(socket)?.data.toString() ?? '';
}

test('a manager that is busy is told when it has room, in order', async () => {
  const manager = ServiceManager.take({ NOTIFY_SOCKET: address }, () => undefined);
  while (sendDatagram(address, Buffer.from('noise'))) {
    // Until its queue is full.
  }
  manager.status('one');
  manager.status('two');
  let text = await received();
  while (text === 'noise') text = await received();
  assert.equal(text, 'STATUS=one\n');
  assert.equal(await received(), 'STATUS=two\n');
  manager.close();
});

test('what the manager set is taken out of the environment, and nothing else', () => {
  const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: '1', LISTEN_FDS: '1', LISTEN_PID: '1', PATH: '/bin' };
  assert.deepEqual(withoutServiceVariables(env), { PATH: '/bin' });
  ServiceManager.take(env, () => undefined).close();
  assert.deepEqual(env, { PATH: '/bin' });
});

test('without a manager nothing is sent and nothing is complained of', () => {
  const complaints: string[] = [];
  const manager = ServiceManager.take({ WATCHDOG_USEC: '1' }, (_level, message) => complaints.push(message));
  const first = begin(limits);
  manager.tell(first.state, first, null, '');
  manager.watch(() => ({ state: first.state, workerPid: null }));
  manager.store([]);
  assert.equal(manager.holdsSockets, false);
  manager.close();
  assert.deepEqual(complaints, []);
});

test('an address that can be none is complained of once', () => {
  const complaints: string[] = [];
  const manager = ServiceManager.take({ NOTIFY_SOCKET: 'vsock:2:1' }, (_level, message) =>
    complaints.push(message),
  );
  manager.status('one');
  manager.status('two');
  manager.close();
  assert.deepEqual(complaints, ['the service manager can not be told']);
});
