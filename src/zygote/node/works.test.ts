// A forked Node is a whole one: what jobs do works in it as in a started one.
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { ALLOW, BOOTSTRAPS, checkAll, selfCheck, short } from './fork-safety/index.ts';
import { type Report, tryWorkloads } from './trials/index.ts';
import { FIXTURES } from './zygote-under-test.ts';

const LIMIT_MS = 60_000;

async function reportsOf(
  bootstrap: string,
  { times = 2, limitMs = LIMIT_MS, only = '' } = {},
): Promise<readonly Report[]> {
  const subject = { bootstrap, interpreter: null, env: new Map(), allow: ALLOW };
  const trial = await tryWorkloads({ subject, times, limitMs, only });
  assert.ok(trial.kind === 'tried', JSON.stringify(trial));
  return trial.reports;
}

for (const bootstrap of BOOTSTRAPS) {
  test(`node: what jobs do works, forked on request and parked (${basename(bootstrap, '.ts')} zygote)`, async (t) => {
    for (const { name, tried, failures } of await reportsOf(bootstrap)) {
      await t.test(name, () => {
        assert.deepEqual(failures, []);
        assert.equal(tried, 2);
      });
    }
  });
}

describe('node: what goes wrong with a workload', () => {
  const FAULTY = join(FIXTURES, 'faulty.ts');

  test('is told apart: a crash, a wrong result, an end that was not meant', async () => {
    const reports = await reportsOf(FAULTY, { only: 'ends' });
    assert.deepEqual(
      reports.map(({ name, failures }) => [name, ...failures.map(({ how, why }) => `${how}: ${why}`)]),
      [
        ['ends by a crash', ...Array(2).fill('crash: killed by signal 11')],
        ['ends wrong', ...Array(2).fill('wrong result: Error: the sum is wrong')],
        ['ends by an exit', ...Array(2).fill('wrong result: exit code 4 instead of 0')],
        ['ends well'],
      ],
    );
    assert.match(reports[1]?.failures[0]?.log ?? '', /adds up\nUncaught Error: the sum is wrong\n +at/);
  });

  test('is told with what a process that hangs is doing, and those that it has started', async () => {
    const [report] = await reportsOf(FAULTY, { only: 'hangs', times: 1, limitMs: 3_000 });
    const [failure] = report?.failures ?? [];
    assert.partialDeepStrictEqual(failure, { how: 'hang', log: 'waits' });
    assert.match(
      failure?.why ?? '',
      /^not ended after 3000 ms: pid \d+: .* S in \w+.*; child pid \d+: sleep S/,
    );
  });

  test('is told where the inspection refuses what the bootstrap has left', async () => {
    const bootstrap = join(FIXTURES, 'leaves-thread.ts');
    const subject = { bootstrap, interpreter: null, env: new Map(), allow: [] };
    const trial = await tryWorkloads({ subject, times: 2, limitMs: LIMIT_MS, only: '' });
    assert.ok(trial.kind === 'refused');
    assert.match(trial.findings[0]?.message ?? '', /1 thread running \(WorkerThread\)/);
  });

  test('is told where the bootstrap fails', async () => {
    await assert.rejects(reportsOf(join(FIXTURES, 'no-such-file.ts')), /did not start[\s\S]*no-such-file/);
  });
});

describe('node: the self-check', () => {
  test('passes in a process that is whole', () => selfCheck());

  test('names what failed, and what does not end', async () => {
    const fails = short('sums', () => {
      throw new Error('the sum is wrong');
    });
    await assert.rejects(checkAll([fails]), /^Error: sums: the sum is wrong$/);
    const hangs = short('waits', () => new Promise(() => {}));
    await assert.rejects(checkAll([hangs], 1), /^Error: waits: has not ended after 1 ms$/);
  });
});
