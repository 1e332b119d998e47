import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJobs } from '../jobs/index.ts';
import { importCrontab, JobNames, renderJobs } from './index.ts';

const OPTIONS = { withUsers: false, pool: 'os', timezone: 'Europe/Berlin' };

function becameOf(text: string, options = OPTIONS): (string | null)[][] {
  return importCrontab(text, options).lines.map(({ became, job, remarks }) => [became, job, ...remarks]);
}

test('each entry becomes a job that runs the same command by the same shell at the same time', () => {
  const imported = importCrontab(
    '*/5 8-18 * * mon-fri /usr/bin/php /srv/shop/bin/sync.php --all >/dev/null 2>&1\n',
    OPTIONS,
  );
  assert.deepEqual(imported.jobs, {
    'sync.php': {
      pool: 'os',
      argv: ['/bin/sh', '-c', '/usr/bin/php /srv/shop/bin/sync.php --all >/dev/null 2>&1'],
      timezone: 'Europe/Berlin',
      schedule: '*/5 8-18 * * mon-fri',
      overlap: 'allow',
      misfire: 'skip',
    },
  });
  assert.deepEqual([...imported.pools], [['os', null]]);
});

test('settings hold for the lines after them', () => {
  const { jobs, lines } = importCrontab(
    'SHELL=/bin/bash\nPATH = "/usr/local/bin:/usr/bin"\n0 1 * * * first\nCRON_TZ=UTC\nMAILTO=ops@example.org\nHOME=/srv\n@daily second\n',
    OPTIONS,
  );
  assert.deepEqual(
    Object.entries(jobs).map(([name, { argv, env, timezone }]) => [name, argv?.[0], env, timezone]),
    [
      ['first', '/bin/bash', { PATH: '/usr/local/bin:/usr/bin' }, 'Europe/Berlin'],
      ['second', '/bin/bash', { PATH: '/usr/local/bin:/usr/bin' }, 'UTC'],
    ],
  );
  assert.deepEqual(lines.at(-1)?.remarks, [
    "what it printed was mailed to ops@example.org: it goes to the run's log",
    'its pool has to allow the variables PATH',
  ]);
});

test('the first percent sign begins the input, and an escaped one is itself', () => {
  const { jobs } = importCrontab(
    '0 5 * * * date +\\%F | mail -s hi joe%Joe,%%Where are your kids?%\n',
    OPTIONS,
  );
  const [job] = Object.values(jobs);
  assert.deepEqual(job?.argv, ['/bin/sh', '-c', 'date +%F | mail -s hi joe']);
  assert.equal(job.stdin, 'Joe,\n\nWhere are your kids?\n\n');
});

test('a crontab of the system has users, and each gets a pool', () => {
  const { jobs, pools } = importCrontab('17 * * * * root cd / && run-parts --report /etc/cron.hourly\n', {
    ...OPTIONS,
    withUsers: true,
  });
  assert.deepEqual(Object.keys(jobs), ['run-parts']);
  assert.deepEqual(jobs['run-parts']?.argv?.[2], 'cd / && run-parts --report /etc/cron.hourly');
  assert.deepEqual([...pools], [['cron-root', 'root']]);
});

test('days of the month and of the week: either, but both where one begins with a star', () => {
  assert.deepEqual(becameOf('0 0 13 * 5 a\n0 0 */2 * 1 b\n'), [
    ['job', 'a'],
    ['job', 'b', "its days are written '0 0 */2 * +1': both have to fit"],
  ]);
});

test('what can not be imported says why', () => {
  assert.deepEqual(becameOf('# a comment\n\n@reboot start\n0~30 3 * * * x\n61 * * * * y\nnonsense\n'), [
    ['ignored', null],
    [
      'impossible',
      null,
      '@reboot is no time: let the service manager start it, or keep it running as instances of a job',
    ],
    ['impossible', null, 'a random time (~) can’t be imported: choose a time, or use the key jitter'],
    ['impossible', null, "'61 * * * *' is no cron pattern: Invalid value for minute: 61"],
    ['impossible', null, 'this is no line of a crontab: expected five fields of time and a command'],
  ]);
});

test('an unknown time zone is said at each line that it holds for', () => {
  assert.deepEqual(becameOf('CRON_TZ=Mars\n@daily a\n')[1], [
    'impossible',
    null,
    "timezone: there is no time zone 'Mars': it has to be a name of the tz database, such as Europe/Berlin or UTC",
  ]);
});

test('two of one name get numbers', () => {
  assert.deepEqual(Object.keys(importCrontab('@daily a\n@hourly a\n@weekly /x/a\n', OPTIONS).jobs), [
    'a',
    'a-2',
    'a-3',
  ]);
});

test('files that are imported together give no name twice', () => {
  const names = new JobNames();
  const named = ['@daily a\n', '@daily a\n@daily b\n'].map((text) =>
    Object.keys(importCrontab(text, OPTIONS, names).jobs),
  );
  assert.deepEqual(named, [['a'], ['a-2', 'b']]);
});

test('300 lines of a crontab are a job file that is correct', () => {
  const text = Array.from(
    { length: 300 },
    (_, i) => `${i % 60} ${i % 24} * * * /srv/jobs/${i}.sh -x%input ${i}`,
  ).join('\n');
  const imported = importCrontab(text, OPTIONS);
  const jobs = parseJobs(renderJobs('moved', imported), 'moved.yaml');
  assert.equal(jobs.length, 300);
  assert.deepEqual(jobs[299]?.run, { argv: ['/bin/sh', '-c', '/srv/jobs/299.sh -x'] });
});

test('whatever a crontab has in it: every line is accounted for, and the job file is correct', () => {
  const field = fc.oneof(
    fc.constant('*'),
    fc.nat(60).map(String),
    fc.constantFrom('*/5', '1-5', 'mon', '1,2', '~', '#'),
  );
  const line = fc.oneof(
    fc.tuple(field, field, field, field, field, fc.string()).map((parts) => parts.join(' ')),
    fc.string(),
    fc.tuple(fc.constantFrom('PATH', 'X', 'MAILTO', 'SHELL'), fc.string()).map((pair) => pair.join('=')),
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 10 }), fc.boolean(), (lines, withUsers) => {
      const text = lines.map((each) => each.replaceAll(/[\r\n\0]/g, '')).map((each) => each || '#');
      const imported = importCrontab(text.join('\n'), { ...OPTIONS, withUsers });
      assert.deepEqual(
        imported.lines.map((each) => each.text),
        text,
      );
      const made = imported.lines.filter(({ became }) => became === 'job').map(({ job }) => job);
      assert.deepEqual(made.toSorted(), Object.keys(imported.jobs).toSorted());
      assert.equal(parseJobs(renderJobs('p', imported), 'jobs.yaml').length, made.length);
    }),
    { numRuns: 1_000 },
  );
});
