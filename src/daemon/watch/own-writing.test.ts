import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnWriting } from './own-writing.ts';

const files = (...names: string[]): Set<string> => new Set(names);

test('what changes during one load, or two in a row, is somebody who saves', () => {
  const writing = new OwnWriting();
  assert.deepEqual(writing.judge(files('a')), { again: ['a'], own: [] });
  assert.deepEqual(writing.judge(files('a', 'b')), { again: ['a', 'b'], own: [] });
  assert.deepEqual(writing.judge(files()), { again: [], own: [] });
  assert.deepEqual(writing.judge(files('a')), { again: ['a'], own: [] });
});

test('what changes during the third load in a row is its own writing, and from then on as well', () => {
  const writing = new OwnWriting();
  writing.judge(files('cache'));
  writing.judge(files('cache'));
  assert.deepEqual(writing.judge(files('cache')), { again: [], own: ['cache'] });
  assert.deepEqual(writing.judge(files('cache')), { again: [], own: [] });
  assert.deepEqual(writing.judge(files('cache', 'a')), { again: ['a'], own: [] });
});

test("many files that come in one after the other, longer than some loads take, are nobody else's", () => {
  const writing = new OwnWriting();
  for (let n = 0; n < 5; n++) {
    const checkedOut = [`a${n}`, `b${n}`];
    assert.deepEqual(writing.judge(files(...checkedOut)), { again: checkedOut, own: [] });
  }
});

test('a cache whose files have another name each time makes no loop either', () => {
  const writing = new OwnWriting();
  const loads = Array.from({ length: 10 }, (_, n) => writing.judge(files(`cache-${n}`)).again.length);
  assert.deepEqual(loads, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
});

test('what a load that went well has not written is somebody who saves, when it changes again', () => {
  const writing = new OwnWriting();
  for (let n = 0; n < 3; n++) writing.judge(files('a', 'cache'));
  writing.forgetAllBut(files('cache'));
  assert.deepEqual(writing.judge(files('a', 'cache')), { again: ['a'], own: [] });
});
