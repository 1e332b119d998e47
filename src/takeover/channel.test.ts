import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectToKeeper, isUnderKeeper } from './index.ts';
import { envelope, parseManifest, parseToKeeper, parseToWorker } from './messages.ts';

test('a program without a keeper is told so', () => {
  assert.equal(isUnderKeeper(), false);
  assert.throws(connectToKeeper, { message: 'this program is a worker: it is started by its keeper only' });
});

test('a message of another version is refused, and says which', () => {
  const parsed = parseToKeeper({ v: 2, t: 'ready' });
  assert.match(
    parsed.ok ? '' : parsed.reason,
    /speaks version 2 of the keeper's channel, this side version 1/,
  );
  assert.equal(parseToWorker({ t: 'signal', signal: 'SIGHUP' }).ok, false);
  assert.equal(parseManifest('{"v":0,"keeperPid":1,"listeners":[]}').ok, false);
});

test('a message that is not known yet is told apart from another version', () => {
  for (const parsed of [parseToKeeper({ v: 1, t: 'later' }), parseToWorker({ v: 1, t: 'later' })]) {
    assert.equal(parsed.ok ? null : parsed.why, 'unknown');
  }
});

test('messages go through, and what is none is refused', () => {
  const message = { t: 'acknowledge', ids: [1, 2] } as const;
  assert.deepEqual(parseToKeeper(envelope(message)), { ok: true, message });
  assert.deepEqual(parseToWorker({ v: 1, t: 'signal', signal: 'SIGHUP' }), {
    ok: true,
    message: { t: 'signal', signal: 'SIGHUP' },
  });
  for (const value of [null, 'ready', 7, {}, { v: 1 }, { v: 1, t: 'acknowledge', ids: ['1'] }]) {
    assert.equal(parseToKeeper(value).ok, false);
  }
  assert.equal(parseToWorker({ v: 1, t: 'signal', signal: 'SIGKILL' }).ok, false);
});
