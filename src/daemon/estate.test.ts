import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pack } from '../takeover/index.ts';
import { readState, writeState } from './estate.ts';

const STATE = { connections: { idle: [7], busy: [] }, runs: [], ending: [], told: [], draining: ['web'] };

test('a state is read as it was written, its bytes behind it', () => {
  const { header, take } = readState(writeState(STATE, [Buffer.from('in'), Buffer.from('out')]));
  assert.deepEqual(header, { version: 1, ...STATE });
  assert.deepEqual([take(2).toString(), take(3).toString()], ['in', 'out']);
  assert.throws(() => take(1), /ends before/);
});

test('a release that says less or more is understood, one of another version is not', () => {
  const { connections, runs } = STATE;
  const { header } = readState(pack({ version: 1, connections, runs, later: 'more' }, []));
  assert.deepEqual([header.ending, header.told, header.draining], [[], [], []]);
  assert.throws(() => readState(pack({ version: 2 }, [])), /by version 2, this release reads version 1/);
});
