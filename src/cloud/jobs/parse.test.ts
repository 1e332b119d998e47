import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DocumentError } from '../../document/index.ts';
import { parseJobs } from './index.ts';

function problemsOf(text: string): string[] {
  try {
    parseJobs(text, 'jobs.yaml');
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return error.format().split('\n');
  }
  return [];
}

test('a job needs little, and everything else is said in its definition', () => {
  const [job] = parseJobs(
    'jobs:\n  send-report: { class: App\\Job\\SendReport, pool: web, schedule: "0 3 * * *" }\n',
    'jobs.yaml',
  );
  assert.deepEqual(job, {
    project: 'default',
    name: 'send-report',
    description: '',
    run: { class: 'App\\Job\\SendReport', params: [] },
    pool: 'web',
    env: {},
    cwd: null,
    stdin: null,
    schedule: [{ cron: '0 3 * * *', timezone: 'UTC' }],
    start_ms: null,
    end_ms: null,
    jitter_ms: 0,
    blackout: [],
    misfire: { policy: 'once', within_ms: null, max: 1000 },
    overlap: { policy: 'skip', limit: 1 },
    instances: null,
    timeout_ms: null,
    kill_after_ms: 5000,
    queue_timeout_ms: null,
    delivery: 'at-most-once',
    on_host_loss: 'wait',
    retry: {
      failure: { max: 0, backoff_ms: 10_000, factor: 2, max_backoff_ms: 3_600_000 },
      lost_process: { max: 0, backoff_ms: 10_000, factor: 2, max_backoff_ms: 3_600_000 },
      lost_host: { max: 0, backoff_ms: 10_000, factor: 2, max_backoff_ms: 3_600_000 },
    },
    priority: 0,
    concurrency: { job: null, per_host: null, per_key: null, key: null },
    labels: {},
    cost: 1,
    on_success: [],
    on_failure: [],
    after: [],
    params_schema: null,
    webhook: false,
    shadow: false,
    expect: { begun_within_ms: null, ended_within_ms: null },
  });
});

test('jobs take what the file says for all of them, and their own before it', () => {
  const jobs = parseJobs(
    `project: shop
defaults: { pool: web, timezone: Europe/Berlin, class: Daily, params: [1], timeout: 10m }
jobs:
  a: { schedule: "0 3 * * *" }
  b: { argv: [true], pool: os, timeout: 1h }
  c: { class: Other, params: [2], timezone: UTC, schedule: "0 3 * * *" }
`.replace('[true]', '["true"]'),
    'jobs.yaml',
  );
  assert.deepEqual(
    jobs.map(({ project, name, run, pool, timeout_ms, schedule }) => [
      project,
      name,
      run,
      pool,
      timeout_ms,
      schedule,
    ]),
    [
      [
        'shop',
        'a',
        { class: 'Daily', params: [1] },
        'web',
        600_000,
        [{ cron: '0 3 * * *', timezone: 'Europe/Berlin' }],
      ],
      ['shop', 'b', { argv: ['true'] }, 'os', 3_600_000, []],
      [
        'shop',
        'c',
        { class: 'Other', params: [2] },
        'web',
        600_000,
        [{ cron: '0 3 * * *', timezone: 'UTC' }],
      ],
    ],
  );
});

test('schedules are patterns, intervals and single times, each in a zone of its own if need be', () => {
  const [job] = parseJobs(
    `jobs:
  a:
    argv: ["true"]
    pool: os
    timezone: Europe/Berlin
    start: 2026-03-29T02:30
    end: 2027-01-01
    schedule:
      - "@hourly"
      - { cron: "0 3 * * *", timezone: America/Nuuk }
      - { every: 5m, offset: 30s }
      - { at: 2026-12-24T18:00 }
      - { at: 2026-12-24T18:00:00+05:30 }
    blackout:
      - { from: 2026-12-24, to: 2026-12-27T12:00Z }
      - { cron: "0 22 * * *", for: 6h }
`,
    'jobs.yaml',
  );
  assert.deepEqual(job?.schedule, [
    { cron: '@hourly', timezone: 'Europe/Berlin' },
    { cron: '0 3 * * *', timezone: 'America/Nuuk' },
    { every_ms: 300_000, offset_ms: 30_000 },
    { at_ms: Date.parse('2026-12-24T17:00Z') },
    { at_ms: Date.parse('2026-12-24T12:30Z') },
  ]);
  assert.equal(
    job.start_ms,
    Date.parse('2026-03-29T01:00Z'),
    'what clocks leave out is the first instant after it',
  );
  assert.equal(job.end_ms, Date.parse('2026-12-31T23:00Z'));
  assert.deepEqual(job.blackout, [
    { from_ms: Date.parse('2026-12-23T23:00Z'), to_ms: Date.parse('2026-12-27T12:00Z') },
    { cron: '0 22 * * *', timezone: 'Europe/Berlin', for_ms: 21_600_000 },
  ]);
});

test('what may run twice is tried again after a loss, and who asks for retries gets one at least', () => {
  const [job] = parseJobs(
    'jobs:\n  a: { argv: ["true"], pool: os, delivery: at-least-once, retry: { failure: { backoff: 1m } } }\n',
    'jobs.yaml',
  );
  assert.deepEqual(job?.retry.failure, { max: 1, backoff_ms: 60_000, factor: 2, max_backoff_ms: 3_600_000 });
  assert.deepEqual([job.retry.lost_process.max, job.retry.lost_host.max], [3, 3]);
});

test('instances are a number, or follow a backlog', () => {
  const [fixed, following, seldom] = parseJobs(
    `defaults: { argv: ["true"], pool: os }
jobs:
  a: { instances: 3 }
  b: { instances: { max: 4, per: 100, command: [backlog, orders] } }
  c:
    instances:
      { min: 1, max: 4, per: 1, every: 1m, cool_down: 0s, postgres: { url_env: SHOP, query: SELECT 1 } }
`,
    'jobs.yaml',
  );
  assert.deepEqual(fixed?.instances, { min: 3, max: 3, backlog: null });
  assert.deepEqual(following?.instances, {
    min: 0,
    max: 4,
    backlog: { from: { command: ['backlog', 'orders'] }, per: 100, every_ms: 15_000, cool_down_ms: 60_000 },
  });
  assert.deepEqual(seldom?.instances, {
    min: 1,
    max: 4,
    backlog: {
      from: { postgres: { url_env: 'SHOP', query: 'SELECT 1' } },
      per: 1,
      every_ms: 60_000,
      cool_down_ms: 0,
    },
  });
  assert.equal(fixed.on_host_loss, 'fail', 'another one takes the place of what was lost');
});

test('what does not go with instances is said by its line and key', () => {
  const text = `defaults: { argv: ["true"], pool: os }
jobs:
  a: { instances: 3, schedule: "@hourly", overlap: queue, concurrency: 2, blackout: [] }
  b: { instances: { max: 4, per: 10 } }
  c: { instances: { min: 5, max: 4, per: 10, every: 10ms, http: "https://ann:secret@example.com" } }
  d: { instances: { max: 4, per: 10, http: "ftp://example.com" } }
  e: { instances: { max: 4, command: [a], http: "http://x" } }
  f: { instances: { max: 4, per: 1, postgres: { url_env: "postgres://x", query: SELECT 1 } } }
  g: { instances: many }
`;
  const problems = problemsOf(text);
  assert.deepEqual(problems, [
    'jobs.yaml:3: jobs.a.schedule: a has instances, which run at all times (take out schedule or instances)',
    'jobs.yaml:3: jobs.a.overlap: a has instances, which run beside each other',
    'jobs.yaml:3: jobs.a.concurrency: a has up to 3 instances: so many have to be allowed',
    'jobs.yaml:3: jobs.a.blackout: a has instances, which run at all times (take out blackout or instances)',
    'jobs.yaml:4: jobs.b.instances: expected exactly one of command, http and postgres (a number alone, as in instances: 3, needs none)',
    'jobs.yaml:5: jobs.c.instances.min: has to be max at most',
    'jobs.yaml:5: jobs.c.instances.every: has to be 1s at least',
    'jobs.yaml:5: jobs.c.instances.http: a definition is no place for a password',
    'jobs.yaml:6: jobs.d.instances.http: expected a URL of http or https',
    'jobs.yaml:7: jobs.e.instances.per: missing: expected an integer from 1 to 1000000000',
    'jobs.yaml:8: jobs.f.instances.postgres.url_env: expected the name of an environment variable, got "postgres://x"',
    'jobs.yaml:9: jobs.g.instances: expected an integer from 0 to 1000, or a mapping with max, per and one of command, http and postgres, got "many"',
  ]);
});

test('everything that is wrong is said by its line and key', () => {
  const text = `jobs:
  a:
    class: Daily
    argv: ["true"]
    schedule: "0 3 * *"
    timezone: Europe/Berln
  b: { pool: web, class: Daily, schedule: { every: 10ms }, start: 2026-02-30, on_host_loss: rerun, timout: 5m }
  c: { pool: web, class: Daily, schedule: [{ cron: "0 3 * * *", every: 5m }, "61 * * * *"], priority: high }
  d: { pool: web, argv: [x], params: [1], blackout: [{ from: 2026-01-02, to: 2026-01-01 }, { from: 2026-01-02 }] }
`;
  assert.deepEqual(problemsOf(text), [
    'jobs.yaml:2: jobs.a.pool: missing: expected the name of a pool',
    'jobs.yaml:4: jobs.a.argv: a job has a class or an argv, not both',
    "jobs.yaml:5: jobs.a.schedule: '0 3 * *' has 4 fields: a cron pattern has five (minute, hour, day of the month, month, day of the week), or six with seconds first",
    "jobs.yaml:6: jobs.a.timezone: there is no time zone 'Europe/Berln': it has to be a name of the tz database, such as Europe/Berlin or UTC",
    'jobs.yaml:7: jobs.b.schedule.every: has to be 1s at least',
    'jobs.yaml:7: jobs.b.start: there is no such time: 2026-02-30',
    'jobs.yaml:7: jobs.b.on_host_loss: rerun may run it twice (it needs delivery: at-least-once)',
    'jobs.yaml:7: jobs.b.timout: unknown key (did you mean timeout?)',
    'jobs.yaml:8: jobs.c.schedule[0]: expected exactly one of cron, every and at',
    "jobs.yaml:8: jobs.c.schedule[1]: '61 * * * *' is no cron pattern: Invalid value for minute: 61",
    'jobs.yaml:8: jobs.c.priority: expected an integer from -1000 to 1000, got "high"',
    'jobs.yaml:9: jobs.d.params: are for a class: a command has its arguments in argv',
    'jobs.yaml:9: jobs.d.blackout[0].to: has to be later than from',
    'jobs.yaml:9: jobs.d.blackout[1]: expected from and to, or cron and for',
  ]);
});

test('a mistake in the defaults is said once, where it stands', () => {
  assert.deepEqual(
    problemsOf('defaults: { pool: web, timezone: Mars }\njobs:\n  a: { class: A }\n  b: { class: B }\n')
      .length,
    1,
  );
});

test('a file without jobs, and one that is no YAML, are refused', () => {
  assert.deepEqual(problemsOf('project: shop\n'), [
    'jobs.yaml:1: jobs: missing: expected a mapping of names to definitions of jobs',
  ]);
  assert.match(problemsOf('jobs: [')[0] ?? '', /^jobs\.yaml:/);
  assert.match(problemsOf('')[0] ?? '', /expected a mapping with jobs/);
});

test('what is wrong deep within a key that may be written in several ways is told where it stands', () => {
  assert.deepEqual(
    problemsOf(`jobs:
  a: { pool: os, argv: [x], schedule: { every: 30 } }
  b: { pool: os, argv: [x], schedule: [{ every: 1m }, { evry: 30s }] }
  c: { pool: os, argv: [x], schedule: 5 }
`),
    [
      'jobs.yaml:2: jobs.a.schedule.every: expected a duration such as 500ms, 10s, 5m, 24h or 30d, got 30 (no unit: 30s or 30m?)',
      'jobs.yaml:3: jobs.b.schedule[1].evry: unknown key (did you mean every?)',
      'jobs.yaml:4: jobs.c.schedule: expected a cron pattern, a mapping with cron, every or at, or a list of them, got 5',
    ],
  );
});

test('a name that no job may have is told once, and the other jobs are looked at all the same', () => {
  const [name, cron, ...more] = problemsOf(`jobs:
  "my job": { pool: os, argv: [x] }
  b: { pool: os, argv: [x], schedule: "61 * * * *" }
`);
  assert.equal(
    name,
    'jobs.yaml:2: jobs.my job: expected a name of letters, digits, . _ - (at most 100), got "my job"',
  );
  assert.match(cron ?? '', /^jobs.yaml:3: jobs.b.schedule: .*no cron pattern/);
  assert.deepEqual(more, []);
});
