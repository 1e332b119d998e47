import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RocksyError } from '../../wire/index.ts';
import { authorize, roleOfToken } from './auth.ts';

const VIEWER = [
  'status',
  'list',
  'wait',
  'check',
  'logs',
  'search',
  'subscribe',
  'unsubscribe',
  'pools',
  'stats',
] as const;
const OPERATOR = ['run', 'signal', 'cancel', 'terminate', 'free'] as const;
const ADMIN = ['reload', 'drain', 'stop', 'restart'] as const;

function refused(
  role: Parameters<typeof authorize>[0],
  request: Parameters<typeof authorize>[1],
): string | null {
  try {
    authorize(role, request);
    return null;
  } catch (error) {
    assert.ok(error instanceof RocksyError);
    return error.code;
  }
}

test('each role may do what the roles below it may, and its own', () => {
  for (const request of VIEWER) assert.equal(refused('viewer', request), null);
  for (const request of [...OPERATOR, ...ADMIN]) assert.equal(refused('viewer', request), 'forbidden');
  for (const request of [...VIEWER, ...OPERATOR]) assert.equal(refused('operator', request), null);
  for (const request of ADMIN) assert.equal(refused('operator', request), 'forbidden');
  for (const request of [...VIEWER, ...OPERATOR, ...ADMIN]) assert.equal(refused('admin', request), null);
});

test('who has said nothing of himself may say hello and bye', () => {
  for (const request of ['hello', 'bye'] as const) assert.equal(refused(null, request), null);
  for (const request of [...VIEWER, ...OPERATOR, ...ADMIN])
    assert.equal(refused(null, request), 'unauthorized');
});

test('a token has its role, any other text none', () => {
  const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');
  const auth = {
    kind: 'tokens',
    tokens: [
      { name: 'a', role: 'viewer', sha256: sha256('one') },
      { name: 'b', role: 'admin', sha256: sha256('two').toUpperCase() },
    ],
  } as const;
  assert.equal(roleOfToken(auth, 'one'), 'viewer');
  assert.equal(roleOfToken(auth, 'two'), 'admin');
  for (const token of ['', 'three', 'one ', sha256('one')]) assert.equal(roleOfToken(auth, token), null);
  assert.equal(roleOfToken({ kind: 'none' }, 'one'), null);
});
