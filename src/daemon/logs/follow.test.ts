import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { UnsafeFileError } from './files.ts';
import { logFixture, logIn } from './fixture.ts';
import { LogFollower } from './follow.ts';
import { Mask } from './mask.ts';

const FAST = { timeout: 10_000 };

async function text(follower: LogFollower): Promise<string> {
  const chunk = await follower.next();
  return chunk === 'end' ? 'END' : chunk.data.toString();
}

test(
  'what is there comes at once, what is appended when it is written, and then the end',
  FAST,
  async (t) => {
    const log = logFixture(t);
    log.append('one\n');
    using follower = new LogFollower(log, { offset: 0 });
    assert.equal(await text(follower), 'one\n');
    const second = text(follower);
    log.append('two\n');
    assert.equal(await second, 'two\n');
    const end = text(follower);
    follower.finish();
    assert.equal(await end, 'END');
    assert.equal(await text(follower), 'END');
  },
);

test('a log that does not exist yet is waited for', FAST, async (t) => {
  const log = logFixture(t);
  using follower = new LogFollower(log, { offset: 0 });
  const first = text(follower);
  logIn(path.dirname(log.folder), 'other.log').append('not this one');
  log.append('begun\n');
  assert.equal(await first, 'begun\n');
  const second = text(follower);
  log.append('and on\n');
  assert.equal(await second, 'and on\n');
});

test('a run that ends without having written anything has an empty log', FAST, async (t) => {
  using follower = new LogFollower(logFixture(t), { offset: 0 });
  const end = text(follower);
  follower.finish();
  assert.equal(await end, 'END');
});

test('what was written before the end is read before the end is told', FAST, async (t) => {
  const log = logFixture(t);
  log.append(Buffer.from('text€').subarray(0, 6));
  using follower = new LogFollower(log, { offset: 0 });
  follower.finish();
  assert.equal(await text(follower), 'text\ufffd');
  assert.equal(await text(follower), 'END');
});

test('whoever reads slowly gets chunks of the size that was asked for', FAST, async (t) => {
  const log = logFixture(t);
  log.append('0123456789');
  using follower = new LogFollower(log, { offset: 0, chunkBytes: 4 });
  assert.deepEqual([await text(follower), await text(follower), follower.offset], ['0123', '4567', 8]);
});

test('another follower goes on where one stopped', FAST, async (t) => {
  const log = logFixture(t);
  log.append('one\ntwo\n');
  const first = new LogFollower(log, { offset: -8, chunkBytes: 4 });
  assert.equal(await text(first), 'one\n');
  first.close();
  using second = new LogFollower(log, { offset: first.offset });
  assert.equal(await text(second), 'two\n');
});

test('an offset of the time index inside a character moves to the next one', FAST, async (t) => {
  const log = logFixture(t);
  log.append('€uro');
  using follower = new LogFollower(log, { offset: 1, start: 'character' });
  assert.equal(await text(follower), 'uro');
});

test('closing ends a call that waits', FAST, async (t) => {
  const follower = new LogFollower(logFixture(t), { offset: 0 });
  const waiting = text(follower);
  follower.close();
  assert.equal(await waiting, 'END');
});

test('a poke is enough where nothing is watched', FAST, async (t) => {
  const log = logFixture(t);
  const follower = new LogFollower({ ...log, folder: `${log.folder}/later` }, { offset: 0 });
  const waiting = text(follower);
  follower.poke();
  follower.finish();
  assert.equal(await waiting, 'END');
});

test('a secret written in two parts is never shown', FAST, async (t) => {
  const log = logFixture(t);
  log.append('x s3c');
  using follower = new LogFollower(log, { offset: 0, mask: new Mask([], ['s3cret']) });
  assert.equal(await text(follower), 'x ');
  const rest = text(follower);
  log.append('ret\n');
  assert.equal(await rest, '***\n');
});

test('a link in the place of the log ends the following with an error', FAST, async (t) => {
  const log = logFixture(t);
  symlinkSync('/etc/shadow', log.path);
  await assert.rejects(new LogFollower(log, { offset: 0 }).next(), UnsafeFileError);
});

test('thousands of appends while it reads: nothing is lost, nothing comes twice', FAST, async (t) => {
  const log = logFixture(t);
  using follower = new LogFollower(log, { offset: 0, chunkBytes: 100 });
  let expected = '';
  const write = (number: number) => {
    if (number === 3000) return follower.finish();
    expected += `${number}\n`;
    log.append(`${number}\n`);
    setImmediate(write, number + 1);
  };
  write(0);
  let read = '';
  for (let chunk = await follower.next(); chunk !== 'end'; chunk = await follower.next()) read += chunk.data;
  assert.equal(read, expected);
});
