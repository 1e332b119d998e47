import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import type { RunFile, RunKey } from '../../wire/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Pool, Pools } from '../pools/index.ts';
import { type Run, type RunIdentity, Runs } from './index.ts';

const KEY = 'k' as RunKey;
const IDENTITY: RunIdentity = {
  key: KEY,
  file: 'k' as RunFile,
  pool: 'os',
  job: null,
  origin: 'local',
  spec: { argv: ['true'] },
  queuedMs: 0,
};

/** Runs with one pool that never begins any, over a journal that the test commits. */
function world() {
  const rows = new Map<RunKey, Run>();
  const accepted = Promise.withResolvers<'accepted'>();
  const journal = {
    get: (key: RunKey) => rows.get(key),
    unfinished: () => [],
    accept: (run: Run) => {
      rows.set(run.identity.key, run);
      return accepted.promise;
    },
    record: async (run: Run) => void rows.set(run.identity.key, run),
  } as unknown as Journal;
  const queue = new Set<RunKey>();
  const pool = {
    admit: () => undefined,
    settleAdmission: () => undefined,
    enqueue: ({ key }: { key: RunKey }) => queue.add(key),
    withdraw: (key: RunKey) => queue.delete(key),
    release: () => undefined,
  } as unknown as Pool;
  const runs = new Runs({
    journal,
    log: pino({ level: 'silent' }),
    keeperPid: 0,
    acknowledgeOrphan: () => undefined,
    step: () => undefined,
  });
  runs.load({ find: () => pool } as unknown as Pools);
  return { runs, pool, commit: () => accepted.resolve('accepted') };
}

test('a run can be cancelled as soon as its row can be read, before the word of its commit has come', async () => {
  const { runs, pool, commit } = world();
  const started = runs.start(IDENTITY, pool, 0, () => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(runs.get(KEY)?.phase.state, 'queued');
  const cancelled = runs.cancel(KEY, 0, 'cancel');
  commit();
  await started;
  await cancelled;
  const phase = runs.get(KEY)?.phase;
  assert.equal(phase?.state === 'ended' && phase.outcome.name, 'cancelled');
});
