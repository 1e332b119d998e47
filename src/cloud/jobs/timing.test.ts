import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueInstants, hindrance } from '../scheduler/index.ts';
import { parseJobs, timingOf } from './index.ts';

test('a definition is due when its file says so', () => {
  const [job] = parseJobs(
    `jobs:
  a:
    argv: ["true"]
    pool: os
    timezone: Europe/Berlin
    end: 2026-11-28T23:00
    schedule: ["0 3 * * *", { every: 8h, offset: 30m }, { at: 2026-11-28T12:00 }]
    blackout: [{ cron: "0 8 * * *", for: 2h }, { from: 2026-11-28T16:00, to: 2026-11-28T18:00 }]
`,
    'jobs.yaml',
  );
  assert.ok(job !== undefined);
  const timing = timingOf(job);
  const due = dueInstants(timing, Date.parse('2026-11-27T23:00Z'), Date.parse('2026-11-28T23:00Z'));
  assert.deepEqual(
    due.map((at) => [new Date(at).toISOString().slice(11, 16), hindrance(timing, at)]),
    [
      ['00:30', null],
      ['02:00', null],
      ['08:30', 'blackout'],
      ['11:00', null],
      ['16:30', 'blackout'],
    ],
  );
});
