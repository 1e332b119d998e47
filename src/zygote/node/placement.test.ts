import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { mapped } from './address-space.ts';
import { placeTogether } from './placement.ts';

const GIB = 2 ** 30;

/** Pieces of V8's heap that lie where it has drawn an address. */
function scattered(): number {
  return mapped().filter(
    ({ address, access, isAnonymous }) =>
      isAnonymous && access === 'rw-p' && address > 64 * GIB && address < 64 * 1024 * GIB,
  ).length;
}

function hugePagesKib(): number {
  return Number(/^AnonHugePages:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1]);
}

/** 30 MiB or so of objects. */
function grow(): object[] {
  return Array.from({ length: 500_000 }, (_, index) => ({ index }));
}

describe('the heap of a zygote', () => {
  test('lies in one piece, in huge pages, and takes no addresses from anybody afterwards', () => {
    const before = scattered();
    const hugeBefore = hugePagesKib();
    const placed = placeTogether();
    const kept = grow();
    assert.ok(scattered() < before + 10, `${scattered() - before} pieces are scattered`);
    placed();
    assert.ok(hugePagesKib() > hugeBefore + 10 * 1024, `${hugePagesKib() - hugeBefore} KiB in huge pages`);
    assert.ok(mapped().every(({ bytes, access }) => access !== '---p' || bytes < 1024 * GIB));
    const more = grow();
    assert.ok(scattered() > before + 20, 'V8 does as ever');
    assert.equal(kept.length, more.length);
  });
});
