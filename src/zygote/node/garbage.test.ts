import assert from 'node:assert/strict';
import { test } from 'node:test';
import v8 from 'node:v8';
import { Garbage } from './garbage.ts';

const MIB = 2 ** 20;

function usedBytes(): number {
  return v8.getHeapStatistics().used_heap_size;
}

function fork(garbage: Garbage, times: number): void {
  for (let time = 0; time < times; time++) garbage.collectIfMuch();
}

test('garbage that has piled up since the first fork is collected before a later one', () => {
  const garbage = new Garbage();
  const withoutBytes = usedBytes();
  let much: object[] | null = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
  assert.ok(usedBytes() > withoutBytes + 20 * MIB, `so much of ${much.length} objects`);
  much = null;
  fork(garbage, 499);
  assert.ok(usedBytes() > withoutBytes + 20 * MIB, 'it is not looked for at each fork');
  fork(garbage, 1);
  assert.ok(usedBytes() < withoutBytes + MIB);
});
