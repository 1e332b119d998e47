// The command `rocksy` as somebody types it who has a cloud: what is printed, and the exit code.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Ended, start } from '../../src/cli/fixtures/rocksy.ts';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';

let cloud: TestCloud;

before(async () => {
  cloud = await TestCloud.start();
  await cloud.host({ name: 'one' });
});

after(async () => {
  await cloud[Symbol.asyncDispose]();
});

function rocksy(...args: string[]): Promise<Ended> {
  return start(args, { env: { ROCKSY_URL: `unix:${cloud.socket}`, TZ: 'Europe/Berlin' } }).ended;
}

async function apply(text: string): Promise<void> {
  const file = path.join(cloud.folder, 'jobs.yaml');
  fs.writeFileSync(file, text);
  const { code, err } = await rocksy('apply', '-f', file);
  assert.equal(code, 0, err);
}

test('a run that is tried again is followed to its end, and the log of each attempt can be read', async () => {
  const argv = '[sh, -c, "echo try $ROCKSY_ATTEMPT; exit $((3 - $ROCKSY_ATTEMPT))"]';
  await apply(
    `project: a\njobs:\n  again: { pool: os, argv: ${argv}, retry: { failure: { max: 2, backoff: 50ms } } }\n`,
  );
  const { code, out, err } = await rocksy('trigger', '--follow', 'a/again');
  assert.deepEqual([code, out], [0, 'try 1\ntry 2\ntry 3\n']);
  const key = err.split('\n')[0] ?? '';
  assert.match(
    err,
    /failed \(2\); attempt 2:\n.* failed \(1\); attempt 3:\n.* succeeded .*, at attempt 3\n$/,
  );
  assert.equal((await rocksy('logs', key)).out, 'try 3\n');
  assert.equal((await rocksy('logs', '--attempt', '1', key)).out, 'try 1\n');
  assert.equal((await rocksy('logs', '--attempt', '2', '--grep', 'try', key)).out, 'try 2\n');
  assert.equal((await rocksy('logs', '--json', key)).out, '{"event":"data","data":"try 3\\n"}\n');
});

test('mistakes in job files are told once each, by file and line; nothing is applied', async () => {
  const folder = fs.mkdtempSync(path.join(cloud.folder, 'jobs-'));
  fs.writeFileSync(path.join(folder, 'a.yaml'), 'jobs:\n  a: { pool: os, argv: [x], timout: 5m }\n');
  fs.writeFileSync(path.join(folder, 'b.yaml'), 'jobs:\n  b: { pool: os, argv: [x], priority: 1h }\n');
  fs.mkdirSync(path.join(folder, 'no-file.yaml'));
  const { code, out, err } = await rocksy('apply', '-f', folder);
  assert.deepEqual([code, out], [1, '']);
  assert.equal(
    err.replaceAll(`${folder}/`, ''),
    `a.yaml:2: jobs.a.timout: unknown key (did you mean timeout?)
b.yaml:2: jobs.b.priority: expected an integer from -1000 to 1000, got "1h"
rocksy: These 2 are to be mended first: nothing has been done
`,
  );
});

test('jobs are listed with their schedules as one writes them, and with the pauses there are', async () => {
  await apply(`
project: b
defaults: { pool: os, argv: ["true"], timezone: Europe/Berlin }
jobs:
  nightly: { schedule: "30 2 * * *" }
  often: { schedule: [{ every: 90m, offset: 5m }, { at: 2030-12-24T18:00 }] }
  held: { schedule: { every: 1h } }
  asked: {}
  later: { schedule: { every: 10s }, start: 2099-01-01T00:00 }
`);
  await rocksy('pause', 'b/held', '--reason', 'audit');
  await rocksy('pause', '--all', '--reason', 'a move');
  const { out, err } = await rocksy('jobs', '--project', 'b');
  const lines = out.split('\n').map((line) => line.split(/ {3,}/));
  assert.deepEqual(
    lines.slice(1, 6).map(([name, , next, schedule]) => [name, next?.slice(0, 3), schedule]),
    [
      ['b/asked', undefined, undefined],
      ['b/held', 'pau', 'every 1h'],
      ['b/later', 'in ', 'every 10s'],
      ['b/nightly', 'in ', '30 2 * * * Europe/Berlin'],
      ['b/often', 'in ', 'every 90m + 5m; at 2030-12-24 18:00:00'],
    ],
  );
  assert.match(out, /b\/later +v1 +in \d{5}d /);
  assert.equal(err, 'All jobs are paused: a move\n`rocksy resume --all` ends that.\n');
  await rocksy('resume', '--all');
});

test('what can mean nothing is wrong usage, and nothing is done', async () => {
  for (const [expected, ...args] of [
    [/Name runs, or say --failed/, 'rerun'],
    [/Name runs, or say --failed/, 'rerun', 'KEY', '--failed'],
    [/from -1000 to 1000/, 'trigger', 'b/asked', '--priority', 'high'],
    [/Expected a whole number/, 'jobs', 'rollback', 'b/asked', 'first'],
    [/See `rocksy jobs rollback --help`/, 'jobs', 'rollback', 'b/asked'],
    [/--from has to be before --to/, 'backfill', 'b/nightly', '--from', '2026-02-01', '--to', '2026-01-01'],
    [/That time has passed/, 'pause', 'b/asked', '--until', '2020-01-01'],
    [/Expected a time zone/, 'shadow-report', '-', '--since', '1d', '--timezone', 'Mars/Base'],
  ] as [RegExp, ...string[]][]) {
    const { code, out, err } = await rocksy(...args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, expected);
  }
  const { code, err } = await rocksy('why', 'asked');
  assert.equal(code, 1);
  assert.match(err, /^rocksy: There is no job default\/asked\nA job is named PROJECT\/NAME/);
});

test('why says on our clocks why nothing runs, also of what somebody has asked for', async () => {
  await apply(
    'project: c\njobs:\n  stuck: { pool: nowhere, argv: [x], schedule: { every: 1s } }\n  asked: { pool: os, argv: ["true"], labels: { zone: mars } }\n',
  );
  const told = await until('it was skipped', async () => {
    const { out } = await rocksy('why', 'c/stuck');
    return /It was skipped/.test(out) ? out : null;
  });
  assert.match(
    told,
    /A run of it has not ended: \S+ \(schedule\)\.\nIt waits since .*: no host takes it \(one: has no such pool\)/,
  );
  const [, due = ''] = /It was due last at (.*)\./.exec(told) ?? [];
  assert.match(told, new RegExp(`\n\n${due}  skipped: overlap`));
  const { out: key } = await rocksy('trigger', 'c/asked');
  const { out } = await rocksy('why', 'c/asked');
  assert.match(
    out,
    new RegExp(`A run of it has not ended: ${key.trim()} \\(api root\\)\\.\nIt waits .*has other labels`),
  );
  await rocksy('jobs', 'delete', 'c/stuck');
});
