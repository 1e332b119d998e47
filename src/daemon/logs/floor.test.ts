import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { DiskFloor, freeBytes } from './floor.ts';

function floorAt(bytes: number) {
  const disk = { free: 0, looks: 0, nowMs: 0 };
  const look = () => {
    disk.looks += 1;
    return disk.free;
  };
  const floor = new DiskFloor(bytes, look, () => disk.nowMs);
  const at = (nowMs: number, free: number) => {
    Object.assign(disk, { nowMs, free });
    return floor.allows();
  };
  return { disk, at };
}

test('below the floor nothing is allowed, and again only 5% above it', () => {
  const { at } = floorAt(1000);
  assert.equal(at(0, 1000), true);
  assert.equal(at(1000, 999), false);
  assert.equal(at(2000, 1049), false);
  assert.equal(at(3000, 1050), true);
  assert.equal(at(4000, 1000), true);
});

test('the file system is asked once a second, and at once when the clock was set back', () => {
  const { at, disk } = floorAt(1000);
  assert.equal(at(5000, 2000), true);
  assert.equal(at(5999, 0), true);
  assert.equal(disk.looks, 1);
  assert.equal(at(1000, 0), false);
});

test('a floor of 0 always allows and never looks', () => {
  const { at, disk } = floorAt(0);
  assert.equal(at(0, 0), true);
  assert.equal(disk.looks, 0);
});

test('free bytes are those of the file system', () => {
  assert.ok(freeBytes(tmpdir()) > 0);
  assert.throws(() => freeBytes('/nowhere/at/all'), { code: 'ENOENT' });
});
