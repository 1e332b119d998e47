import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hugePagesKib, noHugePages } from '../contract-suite/index.ts';
import { mapped } from './address-space.ts';
import { placeTogether, useHugePages } from './placement.ts';

const GIB = 2 ** 30;

/** Pieces of V8's heap that lie where it has drawn an address. */
function scattered(): number {
  return mapped().filter(
    ({ address, access, isAnonymous }) =>
      isAnonymous && access === 'rw-p' && address > 64 * GIB && address < 64 * 1024 * GIB,
  ).length;
}

/** 30 MiB or so of objects. */
function grow(): object[] {
  return Array.from({ length: 500_000 }, (_, index) => ({ index }));
}

describe('the heap of a zygote', () => {
  test('lies in one piece, in huge pages, and takes no addresses from anybody afterwards', () => {
    const before = scattered();
    const hugeBefore = hugePagesKib(process.pid);
    const placed = placeTogether();
    const kept = grow();
    // A thread of this process may have been in the way somewhere; without it 100 pieces are.
    assert.ok(scattered() < before + 50, `${scattered() - before} pieces are scattered`);
    placed();
    useHugePages();
    const hugeKib = hugePagesKib(process.pid) - hugeBefore;
    assert.ok(noHugePages || hugeKib >= 2048, `${hugeKib} KiB in huge pages`);
    assert.ok(mapped().every(({ bytes, access }) => access !== '---p' || bytes < 1024 * GIB));
    const more = grow();
    assert.ok(scattered() > before + 20, 'V8 does as ever');
    assert.equal(kept.length, more.length);
  });
});
