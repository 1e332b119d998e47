// What the executables keep of compiled code, and that it does not grow for ever.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const BIN = path.resolve(import.meta.dirname, '../../bin');
const DAY_MS = 24 * 60 * 60 * 1000;

let home: string;
beforeEach(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-cache-'));
});
afterEach(() => fs.rmSync(home, { recursive: true }));

function starts(): void {
  const { status, stderr } = spawnSync(path.join(BIN, 'rocksy.cjs'), ['completion', 'bash'], {
    env: { ...process.env, HOME: home },
    encoding: 'utf8',
  });
  assert.deepEqual([status, stderr], [0, '']);
}

const cache = (): string => path.join(home, '.cache/rocksy');
const folders = (): string[] => fs.readdirSync(cache()).sort();
const own = encodeURIComponent(BIN).slice(-200);

/** What another installation has left, used last so many days ago. */
function left(name: string, days: number): void {
  const used = path.join(cache(), name, 'used');
  fs.mkdirSync(path.join(cache(), name, 'v24'), { recursive: true });
  fs.writeFileSync(path.join(cache(), name, 'v24', 'code'), '');
  fs.writeFileSync(used, '');
  setDays(used, days);
}

function setDays(file: string, days: number): void {
  const at = new Date(Date.now() - days * DAY_MS);
  fs.utimesSync(file, at, at);
}

test('compiled code is kept in a folder of the installation', () => {
  starts();
  assert.deepEqual(folders(), [own]);
  const [version = ''] = fs.readdirSync(path.join(cache(), own)).filter((name) => name.startsWith('v24'));
  assert.ok(fs.readdirSync(path.join(cache(), own, version)).length > 10);
});

test('what was not used for 30 days is removed, one installation a day, and nothing more on that day', () => {
  left('older', 50);
  left('old', 40);
  left('young', 20);
  starts();
  assert.deepEqual(folders(), [own, 'old', 'young'].sort());
  starts();
  assert.deepEqual(folders(), [own, 'old', 'young'].sort());
  setDays(path.join(cache(), own, 'used'), 2);
  starts();
  assert.deepEqual(folders(), [own, 'young'].sort());
});

test('of more than ten installations the one that was not used for longest is removed', () => {
  for (let n = 1; n <= 10; n++) left(`release-${n}`, n);
  starts();
  assert.equal(folders().length, 10);
  assert.ok(!folders().includes('release-10'));
});

test('a home that can not be written to is no hindrance', () => {
  fs.writeFileSync(path.join(home, '.cache'), 'a file');
  starts();
});
