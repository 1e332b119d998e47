import assert from 'node:assert/strict';
import { test } from 'node:test';
import { descriptors } from '../../posix/index.ts';
import { rehearse } from './rehearsal.ts';

test('a rehearsal leaves nothing open', () => {
  const open = (): string[] => descriptors('self').map(({ fd, target }) => `${fd} ${fd === 0 ? '' : target}`);
  const before = open();
  rehearse();
  assert.deepEqual(open(), before);
});
