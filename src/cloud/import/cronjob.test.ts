import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJobs } from '../jobs/index.ts';
import { importCronJobs, renderJobs } from './index.ts';

const OPTIONS = { pool: 'os', timezone: 'UTC' };

const FULL = `apiVersion: batch/v1
kind: CronJob
metadata: { name: report, namespace: shop }
spec:
  schedule: "30 3 * * 1"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 200
  suspend: true
  jobTemplate:
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 600
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: shop:1.2
              command: [php, bin/report.php]
              args: [--weekly]
              workingDir: /srv/shop
              env:
                - { name: LEVEL, value: "3" }
                - { name: PASSWORD, valueFrom: { secretKeyRef: { name: db, key: password } } }
`;

function small(name: string, more = ''): string {
  return `kind: CronJob
metadata: { name: ${name} }
spec: { schedule: "@daily", jobTemplate: { spec: { template: { spec: { containers: [{ command: ["true"] }] } } } }${more} }
`;
}

test('a CronJob becomes a job of the same command, time and limits, and what can not come along is said', () => {
  const imported = importCronJobs(FULL, OPTIONS);
  assert.deepEqual(imported.jobs, {
    report: {
      pool: 'os',
      argv: ['php', 'bin/report.php', '--weekly'],
      cwd: '/srv/shop',
      env: { LEVEL: '3' },
      timezone: 'Europe/Berlin',
      schedule: '30 3 * * 1',
      overlap: 'skip',
      misfire: { policy: 'once', within: '200s' },
      retry: { failure: { max: 2, backoff: '10s', max_backoff: '6m' } },
      timeout: '600s',
    },
  });
  assert.deepEqual(imported.lines, [
    {
      line: 1,
      text: 'CronJob report',
      became: 'job',
      job: 'report',
      remarks: [
        'its image shop:1.2 is not used: its program has to be on the host',
        'the variables PASSWORD come from elsewhere: the pool has to have them',
        'it was suspended: pause it before it is applied',
      ],
    },
  ]);
  assert.equal(parseJobs(renderJobs('shop', imported), 'jobs.yaml')[0]?.timeout_ms, 600_000);
});

test('several documents and lists are read, and what is no CronJob is passed over by name', () => {
  const list = `kind: List\nitems:\n${[small('c'), small('d')].map((each) => `  - ${each.trimEnd().replaceAll('\n', '\n    ')}`).join('\n')}\n`;
  const { lines } = importCronJobs(
    [small('a'), 'kind: Service\nmetadata: { name: web }\n', small('a'), list].join('---\n'),
    OPTIONS,
  );
  assert.deepEqual(
    lines.map(({ line, text, became, job }) => [line, text, became, job]),
    [
      [1, 'CronJob a', 'job', 'a'],
      [5, 'Service web', 'ignored', null],
      [8, 'CronJob a', 'job', 'default-a'],
      [12, 'CronJob c', 'job', 'c'],
      [12, 'CronJob d', 'job', 'd'],
    ],
  );
});

test('one that can not be imported says why', () => {
  const why = (text: string): readonly string[] =>
    importCronJobs(text, OPTIONS).lines.flatMap(({ remarks }) => remarks);
  assert.deepEqual(why(small('a').replace('@daily', '61 * * * *')), [
    "'61 * * * *' is no cron pattern: Invalid value for minute: 61",
  ]);
  assert.deepEqual(why(small('a').replace('command: ["true"]', 'image: x')), [
    'it has no command: what its image starts by itself has to be written down',
  ]);
  assert.deepEqual(
    why(small('a').replace('[{ command: ["true"] }]', '[{ command: [a] }, { command: [b] }]')),
    ['it has several containers: a run is one program'],
  );
  assert.match(why(small('a').replace('schedule: "@daily", ', ''))[0] ?? '', /^spec: .*schedule/);
  assert.match(
    why(small('a').replace('spec: {', 'spec: { timeZone: Mars,'))[0] ?? '',
    /^timezone: there is no/,
  );
  assert.match(why('kind: [')[0] ?? '', /^this is no YAML: /);
});

test('whatever the file says, nothing is thrown and the job file is correct', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
        fc.string().map((text) => small(JSON.stringify(text))),
      ),
      (text) => {
        const imported = importCronJobs(text, OPTIONS);
        assert.equal(
          parseJobs(renderJobs('p', imported), 'jobs.yaml').length,
          imported.lines.filter(({ became }) => became === 'job').length,
        );
      },
    ),
    { numRuns: 1_000 },
  );
});
