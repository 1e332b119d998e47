// The NestJS application of the examples through a real rocksyd: jobs that its container makes, with TypeORM behind them.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client, RunView } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

const NEST = path.resolve(import.meta.dirname, '../../examples/nest');
const POOL = `runtime: node, bootstrap: ${NEST}/dist/bootstrap.js, env: { BILLING_DATABASE: ./scratch/billing.sqlite }, {user}`;

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: parked',
    pools: `  parked: { ${POOL}, prefork: 2 }\n  forked: { ${POOL}, prefork: 0 }`,
    files: { 'letter.csv': 'Dear Ada,\n' },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function ended(key: string, pool: string, name: string, params: string[] = []): Promise<RunView> {
  await client.run({ key, pool, class: name, params });
  return await client.wait(key, { timeout_ms: 60_000 });
}

async function logOf(key: string): Promise<string> {
  return (await client.logs(key)).data.toString();
}

test('one database, made, filled and worked on by runs of both pools, several at once', async () => {
  const migrated = await ended('migrate', 'parked', 'Migrate');
  assert.deepEqual(migrated.result, { applied: ['First1795824000000'] }, await logOf('migrate'));

  const imported = await ended('import', 'forked', 'ImportInvoices');
  assert.deepEqual(imported.result, { created: 4, known: 0, rejected: 1 }, await logOf('import'));
  assert.equal(await logOf('import'), '2026-0103: nobody is no address\n');
  assert.deepEqual(imported.progress, { percent: 100, text: '5 of 5' });

  const pools = ['parked', 'forked', 'parked', 'forked', 'parked'];
  const keys = pools.map((_, index) => `remind-${index}`);
  const runs = await Promise.all(
    keys.map((key, index) => ended(key, pools[index] ?? '', 'SendReminders', ['2026-11-28'])),
  );
  for (const { outcome, error } of runs) assert.equal(outcome, 'succeeded', error ?? '');
  assert.equal(new Set(runs.map(({ pid }) => pid)).size, runs.length);
  const lines = (await Promise.all(keys.map(logOf))).join('').trimEnd().split('\n').sort();
  assert.deepEqual(lines, [
    'to ada@example.org: invoice 2026-0101, reminder 3',
    'to grace@example.org: invoice 2026-0102, reminder 3',
    'to katherine@example.org: invoice 2026-0104, reminder 1',
  ]);
});

describe("an exception is told by the lines of the application's TypeScript", () => {
  for (const pool of ['parked', 'forked']) {
    test(pool, async () => {
      const letter = path.join(daemon.folder, 'letter.csv');
      const run = await ended(`letter-${pool}`, pool, 'ImportInvoices', [letter]);
      const message = `Error: ${letter}: expected the columns number,email,cents,due, found Dear Ada,`;
      assert.partialDeepStrictEqual(run, { outcome: 'failed', code: 255, error: message });
      const log = await logOf(`letter-${pool}`);
      assert.match(log, /\n +at InvoiceFile\.read \(.*nest\/src\/billing\/invoice-file\.ts:18:\d+\)\n/);
      assert.match(
        log,
        /\n +at async ImportInvoices\.run \(.*nest\/src\/jobs\/import-invoices\.ts:20:\d+\)\n/,
      );
    });
  }
});
