import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { around, mappings } from './address-space.ts';
import { InheritedMemory } from './dofork.ts';
import { FORK_FLAGS, flagsOf } from './flags.ts';
import { busyAmong } from './quiesce.ts';
import { meaningOf } from './results.ts';
import { oneLine } from './run-file.ts';
import { FIXTURES, NODE_26 } from './zygote-under-test.ts';

const END = 2 ** 47 - 4096;

/** Flags of every mapping that a child would not get: VmFlags `dc` (do not copy on fork) of proc_pid_smaps(5). */
function notCopied(file: number, buffer: Buffer): string[] {
  let length = 0;
  for (let count = -1; count !== 0; length += count)
    count = readSync(file, buffer, length, buffer.length - length, length);
  return [...buffer.toString('latin1', 0, length).matchAll(/^VmFlags:(.* dc .*)$/gm)].map(
    ([, flags = '']) => flags,
  );
}

describe('the memory that children get', () => {
  test('is all of V8’s, which has marked its own as not to be copied', () => {
    const memory = new InheritedMemory(); // does so for the first time
    // Large enough that nothing more is allocated while it is read.
    const buffer = Buffer.alloc(8 << 20);
    const kept: object[] = [];
    for (let index = 0; index < 500_000; index++) kept.push({ index });
    const file = openSync('/proc/self/smaps', 'r');
    const isMemory = (flags: string): boolean => !/ (io|pf) /.test(flags);
    assert.ok(notCopied(file, buffer).some(isMemory), 'V8 has mapped more meanwhile');
    memory.extend();
    assert.deepEqual(notCopied(file, buffer).filter(isMemory), []);
    closeSync(file);
    assert.equal(kept.length, 500_000);
  });

  for (const [version, node] of [
    ['24', process.execPath],
    ['26', NODE_26],
  ] as const) {
    test(`has the page that V8 takes at the moment of the fork (Node ${version})`, () => {
      const flags = [...FORK_FLAGS, ...flagsOf(`v${version}.0.0`)];
      const died = execFileSync(node, [...flags, join(FIXTURES, 'new-page.ts')], { encoding: 'utf8' });
      assert.equal(died, '0\n');
    });
  }

  test('is the whole address space but what can’t be inherited', () => {
    assert.deepEqual(around([]), [{ address: 0, bytes: END }]);
    const holes = [
      { address: 4096, bytes: 4096 },
      { address: 8192, bytes: 4096 },
      { address: 40_960, bytes: 4096 },
    ];
    assert.deepEqual(around(holes), [
      { address: 0, bytes: 4096 },
      { address: 12_288, bytes: 28_672 },
      { address: 45_056, bytes: END - 45_056 },
    ]);
  });

  test('is read from /proc/PID/maps, whatever stands in a line', () => {
    const maps = [
      '00400000-00401000 r--p 00000000 fe:01 123  /usr/bin/a 7f00-7f01 b',
      '7ffd1000-7ffd3000 r--p 00000000 00:00 0    [vvar]',
    ].join('\n');
    assert.deepEqual(mappings(maps), [
      { address: 0x400000, bytes: 0x1000, access: 'r--p', isAnonymous: false },
      { address: 0x7ffd1000, bytes: 0x2000, access: 'r--p', isAnonymous: true },
    ]);
  });
});

test('a thread is at work unless it sleeps; the one that asks does not count', () => {
  const thread = (tid: number, name: string, state: string) => ({ tid, name, state });
  const threads = [
    thread(1, 'MainThread', 'R'),
    thread(2, 'libuv-worker', 'R'),
    thread(3, 'V8Worker', 'S'),
    thread(4, 'libuv-worker', 'D'),
  ];
  assert.deepEqual(busyAmong(threads, 1), ['libuv-worker', 'libuv-worker']);
});

test('a line of a run file is cut where a character ends', () => {
  assert.equal(oneLine('a\r\nb\nc', 100), 'a\\nb\\nc');
  assert.equal(oneLine('ééé', 5), 'éé');
  assert.equal(oneLine('€', 2), '');
});

test('what run() returns is a code, a result, or nothing', () => {
  assert.deepEqual(meaningOf(undefined), { kind: 'nothing' });
  assert.deepEqual(meaningOf(-0), { kind: 'code', code: -0 });
  assert.deepEqual(meaningOf(300), { kind: 'code', code: 255 });
  assert.deepEqual(meaningOf(false), { kind: 'result', json: 'false' });
  assert.equal(meaningOf(Number.NaN).kind, 'problem');
  assert.equal(meaningOf(Symbol('s')).kind, 'problem');
});
