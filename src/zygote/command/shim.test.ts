import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ChildMaker, encodeInstructions } from './child.ts';

test('the shim compiles under strict and warnings without a word', () => {
  const shim = fileURLToPath(new URL('./shim.pl', import.meta.url));
  const { stderr, status } = spawnSync('perl', ['-Mstrict', '-Mwarnings', '-c', shim], { encoding: 'utf8' });
  assert.equal(stderr, `${shim} syntax OK\n`);
  assert.equal(status, 0);
});

test('instructions are NUL-ended fields, bytes as they were', () => {
  const maker: ChildMaker = {
    pool: 'p',
    runs: '/runs',
    perl: '/usr/bin/perl',
    env: new Map([['LATIN', '\u00e9']]),
    bootId: 'boot',
    setsid: 112,
    prctl: 157,
    clockGettime: 228,
    reportFd: 9,
  };
  const start = {
    key: 'k',
    file: 'f',
    argv: ['é', ''],
    env: { B: '日' },
    cwd: '/',
    stdin: null,
    log: 'l.log',
    timeoutMs: null,
    killAfterMs: 0,
  };
  const expected = Buffer.concat([
    Buffer.from('/runs/f.run\0/runs/l.log\0/\0boot\x00112\x00157\x00228\x002\0é\0\0LATIN='),
    Buffer.from([0xe9]),
    Buffer.from('\0B=日\0ROCKSY_KEY=k\0ROCKSY_POOL=p\0ROCKSY_RUN_FILE=/runs/f.run\0'),
  ]);
  assert.deepEqual(encodeInstructions(maker, start), expected);
});
