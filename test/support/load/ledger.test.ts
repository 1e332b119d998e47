import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger, type Question } from './ledger.ts';
import { type Losses, NO_LOSSES, Tally } from './tally.ts';

const question = (n: number): Question => ({
  name: 'greet',
  fields: { n },
  flaw: (answer) => (answer.n === n ? null : 'another number'),
});

/** Three requests of either kind; then these lines, then the end. Returns what is not 0 of what was counted. */
function losses(...lines: readonly string[]): Partial<Losses> {
  const tally = new Tally();
  const ledger = new Ledger(tally, 'test');
  for (const n of [1, 2, 3]) {
    ledger.enterWithId(question(n));
    ledger.enterInOrder(question(n));
  }
  for (const line of lines) ledger.take(line);
  ledger.close();
  assert.equal(ledger.due, 0);
  return Object.fromEntries(Object.entries(tally.losses).filter(([, count]) => count > 0));
}

const WITH_ID = ['{"id":1,"n":1}', '{"id":2,"n":2}', '{"id":3,"n":3}'];
const IN_ORDER = ['{"n":1}', '{"n":2}', '{"n":3}'];

test('answers that are right are counted as nothing, those with id in any order', () => {
  assert.deepEqual(losses(...WITH_ID, ...IN_ORDER), {});
  assert.deepEqual(losses(...WITH_ID.toReversed(), ...IN_ORDER), {});
});

test('an answer that is missing is lost', () => {
  assert.deepEqual(losses(...WITH_ID.slice(1), ...IN_ORDER), { lost: 1 });
  assert.deepEqual(losses(...WITH_ID, ...IN_ORDER.slice(0, 2)), { lost: 1 });
  assert.deepEqual(losses(), { lost: 6 });
});

test('an answer that comes again is doubled', () => {
  assert.deepEqual(losses(...WITH_ID, '{"id":2,"n":2}', ...IN_ORDER), { doubled: 1 });
  assert.deepEqual(losses(...WITH_ID, '{"n":1}', ...IN_ORDER), { doubled: 1 });
});

test('an answer without id that overtakes another is misordered, and the other is not lost', () => {
  assert.deepEqual(losses(...WITH_ID, '{"n":2}', '{"n":1}', '{"n":3}'), { misordered: 1 });
  assert.deepEqual(losses(...WITH_ID, '{"n":2}', '{"n":3}'), { misordered: 1, lost: 1 });
});

test('what answers nothing, answers something else or is no JSON is wrong', () => {
  assert.deepEqual(losses(...WITH_ID, ...IN_ORDER, '{"id":9,"n":1}'), { wrong: 1 });
  assert.deepEqual(losses(...WITH_ID, ...IN_ORDER, '{"n":4}'), { wrong: 1 });
  assert.deepEqual(losses(...WITH_ID, '{"n":1}', '{"n":7}', '{"n":3}'), { wrong: 1 });
  assert.deepEqual(losses(...WITH_ID, ...IN_ORDER, '{"n":'), { wrong: 1 });
  assert.deepEqual(losses('{"id":1,"event":"data"}', ...WITH_ID, ...IN_ORDER), { wrong: 1 });
});

test('what is asked after the end is lost at once', async () => {
  const tally = new Tally();
  const ledger = new Ledger(tally, 'test');
  ledger.close();
  assert.equal(await ledger.enterInOrder(question(1)).answer, null);
  assert.deepEqual(tally.losses, { ...NO_LOSSES, lost: 1 });
});
