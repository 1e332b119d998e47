import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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

  test('takes no addresses under a limit of them, of which the heap may need what is left', () => {
    const size = "Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[0])";
    const program = `
      import { readFileSync } from 'node:fs';
      import { placeTogether } from ${JSON.stringify(new URL('./placement.ts', import.meta.url))};
      const before = ${size};
      placeTogether();
      console.log(${size} - before);`;
    const takenPages = (limit: string): number =>
      Number(
        execFileSync('bash', [
          '-c',
          `ulimit -v ${limit} && exec "$0" --input-type=module --eval "$1"`,
          process.execPath,
          program,
        ]),
      );
    assert.ok(takenPages('unlimited') > (1024 * GIB) / 4096);
    const tenTib = String(10 * 1024 ** 3);
    assert.ok(takenPages(tenTib) < GIB / 4096);
  });
});
