// kill -9 of worker, zygote or child at every named step between a request and the acknowledgement of its outcome.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Client } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { assertRanOnce, executions, JOBS, type Marked, marked } from '../support/runs.ts';

const POOLS = [
  '  forked: { runtime: php, bootstrap: JOBS, prefork: 0, {user} }',
  '  parked: { runtime: php, bootstrap: JOBS, prefork: 2, {user} }',
  '  os: { runtime: command, {user} }',
]
  .join('\n')
  .replaceAll('JOBS', JOBS);

const RUNS: readonly Marked[] = [
  { key: 'forked', pool: 'forked', runtime: 'php', code: 7 },
  { key: 'parked', pool: 'parked', runtime: 'php', code: 8 },
  { key: 'os', pool: 'os', runtime: 'command', code: 9 },
];

/** Nothing but the code of the run itself has ended these: they ran, once. */
const RUN_ONCE = [
  'worker:journaled',
  'worker:sending',
  'worker:claimed',
  'worker:ended',
  'worker:recorded',
  'zygote:forked',
  'zygote:ended-before-tell',
  'child:before-claim',
] as const;

/** A daemon whose processes can be killed at the step. */
function daemonFor(step: string): Promise<TestDaemon> {
  return TestDaemon.start({
    more: 'default_pool: os',
    pools: POOLS,
    // Nobody is killed before the test says so: the probe of a new generation goes through these steps too.
    files: { 'scratch/killed': '' },
    env: { ROCKSY_TEST_KILL: step, ROCKSY_TEST_KILL_ONCE: '{folder}/scratch/killed' },
  });
}

/** Asks for the run while somebody is killed over it, and then once more, as a client does that is not sure. */
async function askTwice(daemon: TestDaemon, client: Client, run: Marked): Promise<void> {
  const killed = path.join(daemon.scratch, 'killed');
  fs.rmSync(killed, { force: true });
  await client.run(marked(daemon, run));
  await client.wait(run.key, { timeout_ms: 60_000 });
  assert.ok(fs.existsSync(killed), `somebody was killed over the run in ${run.pool}`);
  assert.equal((await client.run(marked(daemon, run))).known, true);
}

describe('kill -9 at a step', { concurrency: 3 }, () => {
  for (const step of RUN_ONCE) {
    test(`a run over which ${step} is killed runs exactly once, and its outcome is told`, async () => {
      await using daemon = await daemonFor(step);
      const client = await daemon.connect();
      for (const run of RUNS) {
        await askTwice(daemon, client, run);
        await assertRanOnce(daemon, client, run);
      }
      const stats = await client.stats();
      assert.deepEqual(stats.runs, { queued: 0, starting: 0, running: 0, ended: RUNS.length, tombstones: 0 });
    });
  }

  test('a child that is killed between its claim and its report has not run, and its death is told as it was', async () => {
    await using daemon = await daemonFor('child:claimed-before-report');
    const client = await daemon.connect();
    for (const run of RUNS) {
      await askTwice(daemon, client, run);
      const { outcome, signal, code } = await client.status(run.key);
      assert.deepEqual({ outcome, signal, code }, { outcome: 'killed', signal: 'SIGKILL', code: null });
      assert.equal(executions(daemon, run.key), 0);
    }
  });
});
