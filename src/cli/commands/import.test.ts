import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { start } from '../fixtures/rocksy.ts';

const CRONTAB = 'MAILTO=ops@example.org\n# nightly\n0 3 * * * /srv/backup.sh\n@reboot /srv/start.sh\n';
const CRONICLE = `global/schedule/0 - ${JSON.stringify({
  items: [{ id: 'e1', title: 'Ping', enabled: 1, plugin: 'urlplug', timing: {} }],
})}\n`;

function folder(t: TestContext, files: { readonly [name: string]: string } = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'rocksy-import-'));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

test('import prints the job file, and tells line by line what could and could not be converted', async () => {
  const { code, out, err } = await start(
    ['import', 'crontab', '-', '--project', 'shop', '--timezone', 'UTC'],
    {
      input: CRONTAB,
    },
  ).ended;
  assert.equal(code, 1);
  assert.equal(
    out,
    `project: shop
jobs:
  backup.sh:
    pool: os
    argv:
      - /bin/sh
      - -c
      - /srv/backup.sh
    timezone: UTC
    schedule: 0 3 * * *
    overlap: allow
    misfire: skip
`,
  );
  assert.deepEqual(err.trimEnd().split('\n'), [
    'stdin:1: MAILTO=ops@example.org: a setting',
    'stdin:3: job backup.sh',
    "stdin:3:   what it printed was mailed to ops@example.org: it goes to the run's log",
    'stdin:4: not converted: @reboot is no time: let the service manager start it, or keep it running as instances of a job',
    'stdin:4:   @reboot /srv/start.sh',
    'stdin: needs the pool os',
    'stdin: 1 job, 1 not converted',
  ]);
});

test('each file becomes a job file of its own, whose names are free, and none is written over', async (t) => {
  const path = folder(t, { root: '@daily /srv/a\n', 'www.txt': '@daily /opt/a\n' });
  const command = [
    'import',
    'crontab',
    join(path, 'root'),
    join(path, 'www.txt'),
    '--output',
    join(path, 'jobs'),
  ];
  const { code, out } = await start(command).ended;
  assert.deepEqual([code, out], [0, '']);
  assert.deepEqual(readdirSync(join(path, 'jobs')), ['root.yaml', 'www.yaml']);
  assert.match(readFileSync(join(path, 'jobs/www.yaml'), 'utf8'), /^ {2}a-2:$/m);
  rmSync(join(path, 'jobs/root.yaml'));
  const again = await start(command).ended;
  assert.equal(again.code, 1);
  assert.match(again.err, /www\.yaml is there already\n--force/);
  assert.deepEqual(readdirSync(join(path, 'jobs')), ['www.yaml'], 'all or none');
  assert.equal((await start([...command, '--force']).ended).code, 0);
});

test('with --shadow the jobs of the file are not run', async () => {
  const { out } = await start(['import', 'crontab', '-', '--shadow'], { input: '@daily a\n' }).ended;
  assert.match(out, /^defaults:\n {2}shadow: true\n/m);
});

test('as JSON it is one value, also of what could not be converted', async (t) => {
  const path = folder(t, { 'export.txt': CRONICLE });
  const file = join(path, 'export.txt');
  const { code, out, err } = await start(['import', 'cronicle', file, '--json']).ended;
  assert.deepEqual([code, err], [1, '']);
  assert.deepEqual(JSON.parse(out), [
    {
      file,
      output: null,
      jobs: {},
      pools: [],
      lines: [
        {
          line: 1,
          text: 'event Ping',
          became: 'impossible',
          job: null,
          remarks: ['it runs by the plugin urlplug: only shell scripts can be converted'],
        },
      ],
    },
  ]);
});

test('a crontab of the system has users, and --users says so of another one', async () => {
  const { code, out } = await start(['import', 'crontab', '-', '--users'], { input: '@daily joe /srv/a\n' })
    .ended;
  assert.equal(code, 0);
  assert.match(out, /pool: cron-joe\n/);
});

test('wrong usage and files that can not be read are told', async (t) => {
  const path = folder(t, { 'a.txt': '', 'a.json': '' });
  const ends = async (...args: string[]) => {
    const { code, out, err } = await start(['import', ...args]).ended;
    assert.equal(out, '');
    return [code, err];
  };
  assert.deepEqual(await ends('cronicle', '-', '--users'), [2, 'rocksy: --users belongs to crontab\n']);
  const same = await ends('cronicle', join(path, 'a.txt'), join(path, 'a.json'), '-o', path);
  assert.match(`${same}`, /^2,rocksy: Two of the files would be written to .*a\.yaml\n/);
  assert.match(`${await ends('crontab', join(path, 'none'))}`, /^1,rocksy: .*none can't be read: ENOENT/);
  assert.match(`${await ends('crontab', '-', '--timezone', 'Mars')}`, /^2,rocksy: .*Expected a time zone/);
});
