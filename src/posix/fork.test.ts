import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ALL_SIGNALS, getpid, NO_SIGNALS, setSignalMask } from './index.ts';

const blocked = (): bigint => {
  const status = readFileSync(`/proc/self/task/${process.pid}/status`, 'utf8');
  return BigInt(`0x${/^SigBlk:\s*([0-9a-f]+)$/m.exec(status)?.[1]}`);
};
const bit = (signal: number): bigint => 1n << BigInt(signal - 1);

test('a signal mask is set, and tells what it was', () => {
  const before = setSignalMask(ALL_SIGNALS);
  assert.equal(blocked() & bit(15), bit(15));
  assert.equal(blocked() & bit(9), 0n, 'SIGKILL is never blocked');
  assert.deepEqual(setSignalMask(NO_SIGNALS).subarray(0, 4).some(Boolean), true);
  assert.equal(blocked(), 0n);
  setSignalMask(before);
});

test('the pid is the kernel’s', () => {
  assert.equal(getpid(), process.pid);
});
