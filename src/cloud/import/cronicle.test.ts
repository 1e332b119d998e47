import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJobs } from '../jobs/index.ts';
import { importCronicle, renderJobs } from './index.ts';

const OPTIONS = { pool: 'os', timezone: 'UTC' };

/** An event as Cronicle's editor saves it. */
function event(more: object = {}): object {
  return {
    enabled: 1,
    params: { script: '#!/bin/bash\n\n/usr/local/bin/db-reindex.pl\n', annotate: 0, json: 0 },
    timing: { minutes: [10] },
    max_children: 1,
    timeout: 3600,
    catch_up: 0,
    queue_max: 1000,
    timezone: 'America/Los_Angeles',
    plugin: 'shellplug',
    title: 'Rebuild Indexes',
    category: 'general',
    target: 'allgrp',
    algo: 'random',
    multiplex: 0,
    stagger: 0,
    retries: 0,
    retry_delay: 0,
    detached: 0,
    queue: 0,
    chain: '',
    chain_error: '',
    notify_success: '',
    notify_fail: '',
    web_hook: '',
    cpu_limit: 0,
    cpu_sustain: 0,
    memory_limit: 0,
    memory_sustain: 0,
    log_max_size: 0,
    notes: '',
    id: 'eig8x1a2b01',
    modified: 1_700_000_000,
    created: 1_700_000_000,
    username: 'admin',
    ...more,
  };
}

function page(type: string, ...items: object[]): string {
  return `global/${type}/0 - ${JSON.stringify({ type: 'list_page', items })}`;
}

function answer(...rows: object[]): string {
  return JSON.stringify({ code: 0, rows, list: { length: rows.length, type: 'list' } });
}

/** The one job of an event. */
function jobOf(more: object) {
  const { jobs, lines } = importCronicle(answer(event(more)), OPTIONS);
  return { job: Object.values(jobs)[0], remarks: lines[0]?.remarks ?? [], became: lines[0]?.became };
}

const EXPORT = [
  '# Cronicle Data Export v1.0',
  '# Hostname: cron01.example.org',
  '# Format: KEY - JSON',
  '',
  'users/admin - {"username":"admin","password":"$2a$10$abcdefgh","salt":"x","active":1}',
  'global/users - {"page_size":100,"first_page":0,"last_page":0,"length":1,"type":"list"}',
  page('users', { username: 'admin' }),
  page(
    'plugins',
    { id: 'shellplug', title: 'Shell Script', enabled: 1, command: 'bin/shell-plugin.js', params: [] },
    {
      id: 'p1',
      title: 'As www',
      enabled: 1,
      command: 'bin/shell-plugin.js',
      uid: 'www-data',
      cwd: '/srv/shop',
    },
    { id: 'urlplug', title: 'HTTP Request', enabled: 1, command: 'bin/url-plugin.js', params: [] },
  ),
  page(
    'categories',
    { id: 'general', title: 'General', enabled: 1, max_children: 0 },
    { id: 'cat1', title: 'Reports', enabled: 1, max_children: 4, memory_limit: 536_870_912, cpu_limit: 0 },
  ),
  page(
    'server_groups',
    { id: 'maingrp', title: 'Primary Group', regexp: '^cron01$', master: 1 },
    { id: 'allgrp', title: 'All Servers', regexp: '.+', master: 0 },
  ),
  'global/schedule - {"page_size":50,"first_page":0,"last_page":0,"length":4,"type":"list"}',
  page(
    'schedule',
    event({ chain: 'e2', chain_error: 'e9' }),
    event({
      id: 'e2',
      title: 'Weekly report',
      category: 'cat1',
      plugin: 'p1',
      target: 'maingrp',
      timing: { weekdays: [1], hours: [6], minutes: [0, 30] },
      timezone: 'Europe/Berlin',
      retries: 3,
      retry_delay: 30,
      catch_up: 1,
      notes: 'Ask Dana.',
      notify_fail: 'ops@example.org',
      web_hook: 'https://chat.example.org/x [header: Token: secret]',
    }),
    event({ id: 'e3', title: 'Ping', plugin: 'urlplug', params: { url: 'https://example.org/' } }),
    event({ id: 'e4', title: 'Rebuild Indexes', enabled: 0 }),
  ),
  'global/api_keys - {"page_size":50,"first_page":0,"last_page":-1,"length":0,"type":"list"}',
  '',
].join('\n');

test('an export becomes jobs that run the same scripts at the same times', () => {
  const imported = importCronicle(EXPORT, OPTIONS);
  const argv = ['/bin/bash', '-c', '#!/bin/bash\n\n/usr/local/bin/db-reindex.pl\n'];
  assert.deepEqual(imported.jobs, {
    'Rebuild-Indexes': {
      pool: 'os',
      argv,
      timezone: 'America/Los_Angeles',
      schedule: '10 * * * *',
      overlap: 'skip',
      misfire: 'skip',
      timeout: '3600s',
      on_success: ['Weekly-report'],
    },
    'Weekly-report': {
      description: 'Ask Dana.\nCategory: Reports',
      pool: 'cron-www-data',
      labels: { 'Primary-Group': 'true' },
      argv,
      cwd: '/srv/shop',
      timezone: 'Europe/Berlin',
      schedule: '*/30 6 * * 1',
      overlap: { policy: 'queue', limit: 100_000 },
      misfire: 'all',
      timeout: '3600s',
      retry: { failure: { max: 3, backoff: '30s', factor: 1 } },
    },
    'Rebuild-Indexes-2': {
      pool: 'os',
      argv,
      timezone: 'America/Los_Angeles',
      overlap: 'skip',
      misfire: 'skip',
      timeout: '3600s',
    },
  });
  assert.deepEqual(
    [...imported.pools],
    [
      ['os', null],
      ['cron-www-data', 'www-data'],
    ],
  );
  assert.equal(parseJobs(renderJobs('shop', imported), 'jobs.yaml').length, 3);
});

test('every record is accounted for, and what can not come along is said', () => {
  const { lines } = importCronicle(EXPORT, OPTIONS);
  assert.deepEqual(
    lines.map(({ line, text, became, job }) => [line, text, became, job]),
    [
      [1, '# Cronicle Data Export v1.0', 'ignored', null],
      [2, '# Hostname: cron01.example.org', 'ignored', null],
      [3, '# Format: KEY - JSON', 'ignored', null],
      [5, 'users/admin', 'ignored', null],
      [6, 'global/users', 'ignored', null],
      [7, 'global/users/0', 'ignored', null],
      [8, 'global/plugins/0', 'setting', null],
      [9, 'global/categories/0', 'setting', null],
      [10, 'global/server_groups/0', 'setting', null],
      [11, 'global/schedule', 'ignored', null],
      [12, 'event Rebuild Indexes', 'job', 'Rebuild-Indexes'],
      [12, 'event Weekly report', 'job', 'Weekly-report'],
      [12, 'event Ping', 'impossible', null],
      [12, 'event Rebuild Indexes', 'job', 'Rebuild-Indexes-2'],
      [13, 'global/api_keys', 'ignored', null],
    ],
  );
  assert.deepEqual(
    lines.filter(({ text }) => text.startsWith('event')).map(({ remarks }) => remarks),
    [
      ['it started event e9 when it had failed, which became no job'],
      [
        'it ran on ‘Primary Group’ (maingrp): its hosts need the label Primary-Group: true',
        'its category let 4 run at once: let its pool do that',
        'its timeout is that of each try; it was that of all of them',
        'it was run again when its server had died: that needs delivery: at-least-once, where it may run twice',
        'its failures were mailed to ops@example.org: set up an alert',
        'it called a web hook when it began and ended: set one up',
        'it was ended above 512MiB of memory: its pool has to set a limit',
      ],
      ['it runs by the plugin ‘HTTP Request’ (urlplug): only shell scripts can be converted'],
      ["it was disabled: its schedule '10 * * * *' is left out, and it runs when it is asked for"],
    ],
  );
});

test('passwords, keys and tokens of the export are shown nowhere', () => {
  const secret = 'hunter2hunter2';
  const imported = importCronicle(
    [
      `users/x - {"username":"x","password":"${secret}"}`,
      page('api_keys', { key: secret }),
      `broken ${secret}`,
      page('schedule', event({ web_hook: `https://x/${secret}` })),
    ].join('\n'),
    OPTIONS,
  );
  assert.doesNotMatch(JSON.stringify([imported.jobs, imported.lines]), new RegExp(secret));
  assert.equal(imported.lines[2]?.became, 'impossible');
});

test('lists of times become a pattern in which all of them have to fit', () => {
  const patternOf = (timing: object) => jobOf({ timing }).job?.schedule;
  assert.equal(patternOf({}), '* * * * *');
  assert.equal(patternOf({ minutes: [] }), '* * * * *');
  assert.equal(patternOf({ hours: [16, 4], minutes: [30] }), '30 4,16 * * *');
  assert.equal(patternOf({ minutes: [0, 20, 40] }), '*/20 * * * *');
  assert.equal(patternOf({ minutes: [0, 20], hours: [0, 2, 4, 6] }), '0,20 0,2,4,6 * * *');
  assert.equal(patternOf({ minutes: Array.from({ length: 60 }, (_, i) => i) }), '* * * * *');
  assert.equal(
    patternOf({
      months: [3, 4, 5],
      days: [1, 15],
      weekdays: [1, 2, 3, 4, 5],
      hours: [6, 7, 8],
      minutes: [15, 45],
    }),
    '15,45 6-8 1,15 3-5 +1-5',
  );
});

test('years become a beginning, an end and what is left out between', () => {
  const { job } = jobOf({ timing: { years: [2030, 2027, 2028], minutes: [0] } });
  assert.deepEqual(
    [job?.schedule, job?.start, job?.end, job?.blackout],
    [
      '0 * * * *',
      '2027-01-01T00:00',
      '2031-01-01T00:00',
      [{ from: '2029-01-01T00:00', to: '2030-01-01T00:00' }],
    ],
  );
});

test('how many at once, and what becomes of one more', () => {
  const concurrencyOf = (more: object) => {
    const { job } = jobOf(more);
    return [job?.overlap, job?.concurrency, job?.misfire];
  };
  assert.deepEqual(concurrencyOf({ max_children: 1 }), ['skip', undefined, 'skip']);
  assert.deepEqual(concurrencyOf({ max_children: 0 }), ['allow', undefined, 'skip']);
  assert.deepEqual(concurrencyOf({ max_children: 3 }), ['allow', 3, 'skip']);
  assert.deepEqual(concurrencyOf({ queue: 1, queue_max: 20 }), [
    { policy: 'queue', limit: 20 },
    undefined,
    'skip',
  ]);
  assert.deepEqual(concurrencyOf({ catch_up: true }), [
    { policy: 'queue', limit: 100_000 },
    undefined,
    'all',
  ]);
  assert.deepEqual(jobOf({ max_children: 3 }).remarks, [
    'one more than 3 at once waits for its turn; it was left out before',
  ]);
});

test('scripts are started by the interpreter that they name', () => {
  const argvOf = (script: string) => {
    const { job } = jobOf({ params: { script } });
    return [job?.argv, job?.stdin];
  };
  assert.deepEqual(argvOf('echo 1'), [['/bin/sh', '-c', 'echo 1'], undefined]);
  assert.deepEqual(argvOf('#!/bin/sh -e\nx')[0], ['/bin/sh', '-e', '-c', '#!/bin/sh -e\nx']);
  assert.deepEqual(argvOf('#! /bin/sh -\r\nx')[0], ['/bin/sh', '-c', '#! /bin/sh -\nx']);
  assert.deepEqual(argvOf('#!/usr/bin/env python3\nx')[0]?.slice(0, 3), ['/usr/bin/env', 'python3', '-c']);
  assert.deepEqual(argvOf('#!/usr/bin/env -S node --test\nx')[0]?.slice(0, -1), [
    '/usr/bin/env',
    'node',
    '--test',
    '-e',
  ]);
  assert.deepEqual(argvOf('#!/usr/bin/php\n<?php x();'), [['/usr/bin/php'], '#!/usr/bin/php\n<?php x();']);
});

test('one that can not be imported says why', () => {
  const why = (more: object) => {
    const { became, remarks } = jobOf(more);
    return became === 'impossible' ? remarks.join() : became;
  };
  assert.equal(
    why({ params: { script: '#!/usr/bin/awk -f\nx' } }),
    'its script is one of /usr/bin/awk -f: put it in a file on the host, and name that in argv',
  );
  assert.equal(why({ params: {} }), 'it has no script');
  assert.equal(why({ params: { script: ' \n' } }), 'its script is empty');
  assert.equal(
    why({ params: { script: 'x'.repeat(140_000) } }),
    'its script is too large for a job file: put it in a file on the host',
  );
  assert.match(why({ timing: { minutes: [60] } }) ?? '', /^timing/);
  assert.match(why({ timezone: 'Mars/Olympus' }) ?? '', /^timezone: there is no time zone 'Mars\/Olympus'/);
  assert.match(why({ title: 7 }) ?? '', /^title: /);
});

test('one without times runs when it is asked for, and one on every server is told', () => {
  const asked = jobOf({ timing: false });
  assert.equal(asked.job?.schedule, undefined);
  assert.deepEqual(asked.remarks, ['it has no times: it runs when it is asked for']);
  assert.deepEqual(jobOf({ target: 'db01.prod' }).job?.labels, { server: 'db01.prod' });
  assert.deepEqual(jobOf({ multiplex: 1 }).remarks, [
    'it ran on all of its servers at once, and each run is on one host: make a job for each',
  ]);
});

test('an answer of the API names the line of each event, and says when it is not all of them', () => {
  const text = JSON.stringify(
    { code: 0, rows: [event({ chain: 'e2' }), event({ id: 'e2', title: 'Zwei' })], list: { length: 12 } },
    null,
    '\t',
  );
  const lines = text.split('\n');
  const { lines: told, jobs } = importCronicle(text, OPTIONS);
  assert.deepEqual(
    told.map(({ line, became }) => [lines[line - 1]?.trim(), became]),
    [
      ['"id": "eig8x1a2b01",', 'job'],
      ['"id": "e2",', 'job'],
      ['{', 'impossible'],
    ],
  );
  assert.deepEqual(told.at(-1)?.remarks, ['these are 2 of 12 events: ask get_schedule for all (limit)']);
  assert.deepEqual(jobs['Rebuild-Indexes']?.on_success, ['Zwei']);
});

test('what is no export is said to be none', () => {
  const became = (text: string) => importCronicle(text, OPTIONS).lines.map((line) => line.became);
  assert.deepEqual(became('{"jobs": []}'), ['impossible']);
  assert.deepEqual(became('{'), ['impossible']);
  assert.deepEqual(became('*/5 * * * * x\nglobal/schedule/0 - [1]'), ['impossible', 'impossible']);
  assert.deepEqual(became(''), ['ignored']);
});

test('whatever an event says, nothing is thrown and the job file is correct', () => {
  const numbers = fc.array(fc.integer({ min: -1, max: 61 }), { maxLength: 6 });
  const timing = fc.record(
    {
      years: fc.array(fc.integer({ min: 1970, max: 2100 })),
      months: numbers,
      days: numbers,
      weekdays: numbers,
      hours: numbers,
      minutes: numbers,
    },
    { requiredKeys: [] },
  );
  const whatever = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.nat(), fc.string());
  const some = fc.record(
    {
      title: fc.oneof(fc.string(), fc.constantFrom('Same', 'Same!')),
      timing: fc.oneof(timing, fc.constant(false)),
      params: fc.record({
        script: fc.oneof(fc.string(), fc.constantFrom('#!/bin/sh\ntrue', '#!/usr/bin/env')),
      }),
      id: fc.constantFrom('a', 'b', 'c'),
      chain: fc.constantFrom('', 'a', 'b', 'z'),
      target: fc.oneof(fc.string(), fc.constant(null)),
      notes: fc.string({ maxLength: 5000 }),
      retries: fc.nat(40),
      queue_max: fc.nat(),
      max_children: fc.nat(),
      ...Object.fromEntries(
        ['timeout', 'catch_up', 'timezone', 'web_hook', 'category'].map((key) => [key, whatever]),
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), fc.boolean(), (events, isAnswer) => {
      const all = events.map(event);
      const imported = importCronicle(isAnswer ? answer(...all) : page('schedule', ...all), OPTIONS);
      const told = imported.lines.filter(({ text }) => text.startsWith('event'));
      assert.equal(told.length, events.length);
      const made = told.flatMap(({ job }) => (job === null ? [] : [job]));
      assert.deepEqual(
        parseJobs(renderJobs('p', imported), 'jobs.yaml')
          .map(({ name }) => name)
          .toSorted(),
        made.toSorted(),
      );
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        importCronicle(text, OPTIONS);
      },
    ),
  );
});
