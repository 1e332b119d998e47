// The cloud as its users meet it: a real server, a real rocksyd that has joined it, and the HTTP API.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connectCloud } from '../../src/client/index.ts';
import { TestCloud } from '../support/cloud.ts';
import { type TestDaemon, until } from '../support/daemon.ts';

let cloud: TestCloud;
let host: TestDaemon;

before(async () => {
  cloud = await TestCloud.start();
  host = await cloud.host({ name: 'one' });
});

after(async () => {
  await cloud[Symbol.asyncDispose]();
});

const job = (name: string) => ({ params: { project: 'shop', name } });

test('a job runs by its schedule; every due time is in the ledger, and why says so', async () => {
  await cloud.apply(`
project: shop
defaults: { pool: os }
jobs:
  tick: { argv: [sh, -c, "echo due at $ROCKSY_DUE"], schedule: { every: 1s } }
`);
  const fires = await until('it was due three times', async () => {
    const { items } = await cloud.client.call('ledger', { ...job('tick'), query: { order: 'asc' } });
    return items.length >= 3 ? items : null;
  });
  const [first, second] = fires;
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(second.due_ms - first.due_ms, 1000);
  const run = await cloud.ended(first.run_key ?? '');
  assert.deepEqual([run.outcome, run.job, run.host, run.cause], ['succeeded', 'tick', 'one', 'schedule']);
  const log = await cloud.client.call('runLog', { params: { key: run.key } });
  assert.equal(log.data, `due at ${new Date(first.due_ms).toISOString()}\n`);
  const why = await cloud.client.call('why', { ...job('tick'), query: { at_ms: first.due_ms } });
  assert.match(why.text.join(' '), /was due at .* It became the run .* It succeeded on one/);
  const never = await cloud.client.call('why', { ...job('tick'), query: { at_ms: first.due_ms + 1 } });
  assert.match(never.text.join(' '), /was not due at/);
});

test('job files that are wrong are refused as a whole, each mistake by its file and line', async () => {
  const files = [
    { name: 'a.yaml', text: 'project: shop\njobs:\n  a: { argv: [x], pool: os, schedule: "61 * * * *" }\n' },
    { name: 'b.yaml', text: 'project: shop\njobs:\n  b: { argv: [x], pool: os, on_success: [nobody] }\n' },
  ];
  await assert.rejects(
    cloud.client.call('applyJobs', { body: { files } }),
    (error: Error & { problems?: unknown[] }) => {
      assert.partialDeepStrictEqual({ ...error }, { code: 'invalid_jobs', status: 422 });
      assert.partialDeepStrictEqual(error.problems, [{ file: 'a.yaml', line: 3, key: 'jobs.a.schedule' }]);
      return true;
    },
  );
  await assert.rejects(cloud.client.call('applyJobs', { body: { files: files.slice(1) } }), {
    message: /there is no job nobody in project shop/,
  });
});

test('a dry run says what would change and when it would be due, and changes nothing', async () => {
  const text = 'project: dry\njobs:\n  a: { argv: [x], pool: os, schedule: "0 3 * * *" }\n';
  const { applied, jobs } = await cloud.client.call('applyJobs', {
    body: { files: [{ name: 'a.yaml', text }], dry_run: true },
  });
  assert.equal(applied, false);
  assert.partialDeepStrictEqual(jobs, [{ name: 'a', change: 'created' }]);
  assert.equal(jobs[0]?.next_due_after.length, 3);
  await assert.rejects(cloud.client.call('getJob', { params: { project: 'dry', name: 'a' } }), {
    status: 404,
  });
});

test('a job is changed only from the version that is meant, and rolled back to a former one', async () => {
  const params = { project: 'put', name: 'a' };
  const body = { argv: ['true'], pool: 'os' };
  await cloud.client.call('putJob', { params, body });
  const headers = { 'if-match': '"other.1"' };
  await assert.rejects(cloud.client.call('putJob', { params, body: { ...body, priority: 1 } }, { headers }), {
    status: 412,
  });
  await cloud.client.call('putJob', { params, body: { ...body, priority: 1 } });
  const back = await cloud.client.call('rollbackJob', { params, body: { version: 1 } });
  assert.deepEqual([back.version, back.definition.priority], [3, 0]);
  const { items } = await cloud.client.call('jobHistory', { params });
  assert.deepEqual(
    items.map(({ changes }) => changes.map(({ key, after }) => [key, after])),
    [[], [['priority', 1]], [['priority', 0]]],
  );
});

test('a trigger that is sent twice with one Idempotency-Key makes one run', async () => {
  await cloud.apply('project: shop\njobs:\n  once: { argv: ["true"], pool: os }\n');
  const given = { ...job('once'), body: {} };
  const runs = await Promise.all(
    [1, 2, 3].map(() => cloud.client.call('triggerJob', given, { idempotencyKey: 'k1' })),
  );
  assert.equal(new Set(runs.map(({ key }) => key)).size, 1);
  const other = await cloud.client.call('triggerJob', given, { idempotencyKey: 'k2' });
  assert.notEqual(other.key, runs[0]?.key);
  assert.equal((await cloud.ended(other.key)).outcome, 'succeeded');
});

test('a run is cancelled, wherever it is, and another one made of it', async () => {
  await cloud.apply('project: shop\njobs:\n  long: { argv: [sleep, "1000"], pool: os, concurrency: 1 }\n');
  const first = await cloud.client.call('triggerJob', { ...job('long'), body: {} });
  await cloud.run(first.key, 'runs', ({ state }) => state === 'running');
  const second = await cloud.client.call('triggerJob', { ...job('long'), body: {} });
  assert.match(second.waits_for?.text ?? '', /1 of 1 runs of its job/);
  assert.equal((await cloud.client.call('cancelRun', { params: { key: second.key } })).outcome, 'cancelled');
  await cloud.client.call('cancelRun', { params: { key: first.key } });
  assert.deepEqual(
    [(await cloud.ended(first.key)).outcome, (await cloud.ended(first.key)).cancelled_by],
    ['cancelled', 'root'],
  );
  const again = await cloud.client.call('rerunRun', { params: { key: first.key } });
  assert.deepEqual([again.cause, again.cause_ref], ['rerun', first.key]);
  await cloud.client.call('cancelRun', { params: { key: again.key } });
  await cloud.ended(again.key);
});

test('a failure is tried again, and the attempts before the last are told', async () => {
  await cloud.apply(`
project: shop
jobs:
  flaky: { argv: [sh, -c, 'test $ROCKSY_ATTEMPT -gt 2'], pool: os, retry: { failure: { max: 3, backoff: 50ms } } }
`);
  const { key } = await cloud.client.call('triggerJob', { ...job('flaky'), body: {} });
  assert.partialDeepStrictEqual(await cloud.ended(key), { outcome: 'succeeded', attempt: 3 });
  const { attempts } = await cloud.client.call('getRun', { params: { key } });
  assert.deepEqual(
    attempts.map(({ attempt, outcome, code }) => [attempt, outcome, code]),
    [
      [1, 'failed', 1],
      [2, 'failed', 1],
    ],
  );
});

test('jobs follow each other, and get the results of those before', async () => {
  await cloud.apply(`
project: shop
defaults: { pool: os }
jobs:
  a: { argv: ["true"], on_success: [b, c] }
  b: { argv: ["true"] }
  c: { argv: ["true"] }
  d: { argv: [sh, -c, 'echo "$ROCKSY_PARENTS"'], after: [b, c] }
`);
  await cloud.client.call('triggerJob', { ...job('a'), body: {} });
  const joined = await until('d has ended', async () => {
    const { items } = await cloud.client.call('listRuns', { query: { project: 'shop', job: 'd' } });
    return items[0]?.state === 'ended' ? items[0] : null;
  });
  const log = await cloud.client.call('runLog', { params: { key: joined.key } });
  const parents = JSON.parse(log.data ?? '') as { job: string; outcome: string }[];
  assert.deepEqual(
    parents.map(({ job: name, outcome }) => [name, outcome]),
    [
      ['b', 'succeeded'],
      ['c', 'succeeded'],
    ],
  );
});

test('a run finds in its environment what the documentation says, and nothing else of Rocksy’s', async () => {
  await cloud.apply(`
project: shop
defaults: { pool: os }
jobs:
  first: { argv: ["true"], on_success: [second] }
  second: { argv: [sh, -c, 'env | grep ^ROCKSY_'] }
`);
  await cloud.client.call('triggerJob', { ...job('first'), body: {} });
  const run = await until('second has ended', async () => {
    const { items } = await cloud.client.call('listRuns', { query: { project: 'shop', job: 'second' } });
    return items[0]?.state === 'ended' ? items[0] : null;
  });
  const log = await cloud.client.call('runLog', { params: { key: run.key } });
  const found = Object.fromEntries(
    (log.data ?? '')
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s)),
  );
  assert.partialDeepStrictEqual(found, {
    ROCKSY_RUN: run.key,
    ROCKSY_JOB: 'shop/second',
    ROCKSY_ATTEMPT: '1',
  });
  const document = fs.readFileSync(path.join(import.meta.dirname, '../../docs/jobs.md'), 'utf8');
  const documented = new Set(document.match(/`ROCKSY_[A-Z_]+`/g));
  // Nobody was due; backlogs are the server's.
  documented.delete('`ROCKSY_DUE`');
  documented.delete('`ROCKSY_BACKLOG_`');
  assert.deepEqual(Object.keys(found).sort(), [...documented].map((name) => name.slice(1, -1)).sort());
});

test('a paused job skips its due times and says why; it can be triggered all the same', async () => {
  await cloud.apply('project: shop\njobs:\n  tick: { argv: ["true"], pool: os, schedule: { every: 1s } }\n');
  await cloud.client.call('pauseJob', { ...job('tick'), body: { reason: 'holidays' } });
  const fire = await until('a due time was skipped', async () => {
    const { items } = await cloud.client.call('ledger', { ...job('tick'), query: {} });
    return items.find(({ verdict }) => verdict === 'skipped');
  });
  assert.deepEqual([fire.reason, fire.detail], ['paused', 'holidays']);
  const run = await cloud.client.call('triggerJob', { ...job('tick'), body: {} });
  assert.equal((await cloud.ended(run.key)).outcome, 'succeeded');
  await cloud.client.call('resumeJob', job('tick'));
  await until('it runs again', async () => {
    const { items } = await cloud.client.call('ledger', { ...job('tick'), query: { limit: 1 } });
    return items[0]?.verdict === 'run';
  });
});

test('a backfill makes a run for each due time, once', async () => {
  await cloud.apply(
    'project: shop\njobs:\n  nightly: { argv: [sh, -c, "echo $ROCKSY_DUE"], pool: os, schedule: "0 3 * * *" }\n',
  );
  const from = Date.UTC(2026, 0, 1);
  const body = { from_ms: from, to_ms: from + 5 * 86_400_000, parallel: 2 };
  const dry = await cloud.client.call('backfillJob', { ...job('nightly'), body: { ...body, dry_run: true } });
  assert.deepEqual([dry.due.length, dry.created], [5, 0]);
  assert.equal((await cloud.client.call('backfillJob', { ...job('nightly'), body })).created, 5);
  await until('all have ended', async () => {
    const { items } = await cloud.client.call('listRuns', { query: { project: 'shop', job: 'nightly' } });
    return items.length === 5 && items.every(({ outcome }) => outcome === 'succeeded');
  });
  assert.equal((await cloud.client.call('backfillJob', { ...job('nightly'), body })).created, 0);
});

test('who has a token may what its role and its project allow', async () => {
  await cloud.apply('project: shop\njobs:\n  mine: { argv: ["true"], pool: os }\n');
  await cloud.client.call('putJob', {
    params: { project: 'other', name: 'theirs' },
    body: { argv: ['true'], pool: 'os' },
  });
  const tokenOf = async (name: string, role: 'viewer' | 'operator', project?: string) => {
    const { token } = await cloud.client.call('createToken', {
      body: { name, role, ...(project === undefined ? {} : { project }) },
    });
    return connectCloud(cloud.url, { token });
  };
  using nobody = connectCloud(cloud.url, { token: '' });
  await assert.rejects(nobody.call('status', {}), { status: 401 });
  using wrong = connectCloud(cloud.url, { token: 'rk_wrong' });
  await assert.rejects(wrong.call('status', {}), { status: 401 });
  using viewer = await tokenOf('viewer', 'viewer');
  assert.equal((await viewer.call('getJob', job('mine'))).name, 'mine');
  await assert.rejects(viewer.call('triggerJob', { ...job('mine'), body: {} }), {
    status: 403,
    code: 'forbidden',
  });
  using shop = await tokenOf('shop', 'operator', 'shop');
  await cloud.ended((await shop.call('triggerJob', { ...job('mine'), body: {} })).key);
  await assert.rejects(shop.call('getJob', { params: { project: 'other', name: 'theirs' } }), {
    status: 404,
  });
  const projects = new Set<string>();
  for await (const each of shop.all('listJobs', {})) projects.add(each.project);
  assert.deepEqual([...projects], ['shop']);
  await assert.rejects(shop.call('listTokens', {}), { status: 403 });
  await assert.rejects(shop.call('cordonHost', { params: { host: 'one' }, body: {} }), { status: 403 });
  await cloud.client.call('revokeToken', { params: { name: 'shop' } });
  await until(
    'the token is worthless',
    async () =>
      await shop.call('status', {}).then(
        () => false,
        () => true,
      ),
  );
});

test('a webhook starts a job by its signature, and once for each message', async () => {
  await cloud.apply('project: shop\njobs:\n  hooked: { argv: ["true"], pool: os, webhook: true }\n');
  const { path: where, secret } = await cloud.client.call('webhookOfJob', job('hooked'));
  const body = '{"order":7}';
  const timestamp = String(Math.floor(Date.now() / 1000));
  const sign = (text: string) =>
    createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
      .update(`m1.${timestamp}.${text}`)
      .digest('base64');
  const post = (signature: string) =>
    fetch(`${cloud.url}${where}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': 'm1',
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
      },
      body,
    });
  assert.equal((await post(sign('{"order":8}'))).status, 401);
  const first = (await (await post(sign(body))).json()) as { key: string };
  const second = (await (await post(sign(body))).json()) as { key: string };
  assert.equal(first.key, second.key);
  assert.equal((await cloud.ended(first.key)).outcome, 'succeeded');
});

test('the server is killed in the middle of a run: it goes on, and its outcome is known', async () => {
  const gate = path.join(host.scratch, 'gate');
  await cloud.apply(`
project: shop
jobs:
  gated: { argv: [sh, -c, 'while ! test -e ${gate}; do sleep 0.02; done; echo through; exit 7'], pool: os }
`);
  for (const victim of ['worker', 'keeper'] as const) {
    const { key } = await cloud.client.call('triggerJob', { ...job('gated'), body: {} });
    await cloud.run(key, 'runs', ({ state }) => state === 'running');
    if (victim === 'worker') process.kill(cloud.workerPid, 'SIGKILL');
    else {
      cloud.kill('SIGKILL');
      await cloud.exited();
      // Its end comes while nobody is there to hear of it.
      fs.writeFileSync(gate, '');
      await cloud.start();
    }
    await cloud.connected(1);
    fs.writeFileSync(gate, '');
    const run = await cloud.ended(key);
    assert.deepEqual([run.outcome, run.code, run.attempt], ['failed', 7, 1], victim);
    const log = await cloud.client.call('runLog', { params: { key } });
    assert.equal(log.data, 'through\n');
    fs.rmSync(gate);
  }
});

test('a restart refuses nobody, and a stream of events goes on where it was', async () => {
  await cloud.apply('project: shop\njobs:\n  tick: { argv: ["true"], pool: os, schedule: { every: 1s } }\n');
  const stop = new AbortController();
  const seen = new Set<number>();
  const watching = (async () => {
    for await (const { kind, data } of cloud.client.events({ kinds: ['fire'] }, { signal: stop.signal })) {
      assert.notEqual(kind, 'reset');
      assert.ok(!seen.has(Number(data.due_ms)), `told twice of ${data.due_ms}`);
      seen.add(Number(data.due_ms));
    }
  })();
  await until('a fire is told', () => seen.size > 0);
  const worker = cloud.workerPid;
  const refused: unknown[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) await fetch(`${cloud.url}/healthz`).catch((error: unknown) => refused.push(error));
  })();
  cloud.kill('SIGHUP');
  await until('there is another worker', () => cloud.workerPid !== worker);
  await cloud.connected(1);
  isOver = true;
  await asking;
  // A keep-alive connection may be closed while a request is on its way to it; none may be refused.
  assert.deepEqual(
    refused.filter((error) => /ECONNREFUSED/.test(String((error as Error).cause))),
    [],
  );
  const last = Math.max(...seen);
  await until('fires after it are told', () => Math.max(...seen) > last + 2000);
  stop.abort();
  await watching;
  const { items } = await cloud.client.call('ledger', {
    ...job('tick'),
    query: { order: 'asc', from_ms: Math.min(...seen), to_ms: Math.max(...seen) + 1 },
  });
  assert.deepEqual(
    items.map(({ due_ms: due }) => due),
    [...seen].toSorted((a, b) => a - b),
    'none was missed',
  );
});

test('a log is followed while it grows, over a loss of the connection to the host', async () => {
  const gate = path.join(host.scratch, 'follow');
  await cloud.apply(`
project: shop
jobs:
  slow: { argv: [sh, -c, 'echo one; while ! test -e ${gate}; do sleep 0.02; done; echo two'], pool: os }
`);
  const { key } = await cloud.client.call('triggerJob', { ...job('slow'), body: {} });
  let text = '';
  for await (const chunk of cloud.client.followLog(key)) {
    text += chunk.toString();
    if (text !== 'one\n') continue;
    process.kill(await host.workerPid(), 'SIGKILL');
    fs.writeFileSync(gate, '');
  }
  assert.equal(text, 'one\ntwo\n');
  assert.equal((await cloud.ended(key)).outcome, 'succeeded');
});

test('a cordoned host gets no new runs; a removed one has to join anew', async () => {
  await cloud.connected(1);
  await cloud.apply('project: shop\njobs:\n  a: { argv: ["true"], pool: os }\n');
  await cloud.client.call('cordonHost', { params: { host: 'one' }, body: {} });
  const { key } = await cloud.client.call('triggerJob', { ...job('a'), body: {} });
  const waiting = await cloud.run(key, 'waits', ({ waits_for: waits }) => waits?.for === 'host');
  assert.match(waiting.waits_for?.text ?? '', /one: cordoned/);
  await cloud.client.call('cordonHost', { params: { host: 'one' }, body: { on: false } });
  assert.equal((await cloud.ended(key)).outcome, 'succeeded');
  await cloud.client.call('removeHost', { params: { host: 'one' } });
  await until('it is told what to do', () => host.output.some((line) => /credential/.test(line)));
});
