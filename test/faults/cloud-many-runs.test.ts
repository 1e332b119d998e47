// 200 runs of a cloud in progress, and then something befalls one of its parts, or one of its host's.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestCloud } from '../support/cloud.ts';
import { until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { Releases } from '../support/releases.ts';
import { JOBS } from '../support/runs.ts';
import { type Site, strikesOn } from '../support/strikes.ts';
import { assertWholeLog, type Talker, talking, Witness } from '../support/talkers.ts';

const COUNT = 200;

const releases = new Releases();
let cloud: TestCloud;
let site: Site;

before(async () => {
  cloud = await TestCloud.start({
    program: releases.cloudProgram,
    more: 'limits: { requests_per_minute: 1000000 }',
  });
  const pools = {
    web: `{ runtime: php, bootstrap: ${JOBS}, prefork: 4, {user} }`,
    os: '{ runtime: command, {user} }',
  };
  const host = await cloud.host({
    program: releases.program,
    pools: Object.entries(pools)
      .map(([name, pool]) => `  ${name}: ${pool}`)
      .join('\n'),
    join: `capacity: ${COUNT}`,
    more: 'default_pool: os\nstop_runs: leave',
  });
  site = { cloud, host, releases, pools: Object.keys(pools) };
});

after(async () => {
  await cloud[Symbol.asyncDispose]();
  releases[Symbol.dispose]();
});

/** Half of them php, half commands; half of each behind either gate. One in ten dies by a signal, each other has a code of its own. */
function talkers(project: string, gates: readonly [Gate, Gate]): Talker[] {
  return Array.from({ length: COUNT }, (_, n) => ({
    key: `${project}-${n}`,
    runtime: n % 2 === 0 ? 'php' : 'command',
    gate: n % 4 < 2 ? gates[0] : gates[1],
    end: n % 20 === 18 ? 'SIGTERM' : n % 20 === 19 ? 'SIGKILL' : n,
  }));
}

/** One for each pool. */
function latecomers(project: string, gate: Gate): Talker[] {
  return (['php', 'command'] as const).map((runtime) => ({
    key: `${project}-late-${runtime}`,
    runtime,
    gate,
    end: 7,
  }));
}

async function start(project: string, runs: readonly Talker[], witness: Witness): Promise<void> {
  await cloud.client.call('createRuns', {
    body: { runs: runs.map((run) => ({ project, ...talking(run, witness) })) },
  });
}

async function activeAre(count: number): Promise<void> {
  await until(
    `${count} runs are active`,
    async () => (await cloud.client.call('status', {})).active === count,
  );
}

async function runningAre(count: number, project: string): Promise<void> {
  await until(`${count} runs are told to be running`, async () => {
    const query = { project, state: 'running', limit: 1000 } as const;
    return (await cloud.client.call('listRuns', { query })).items.length === count;
  });
}

/** Fails unless all have ended as they did, by a look at each from outside and by what the API says of it. */
async function assertTrueEnds(project: string, runs: readonly Talker[], witness: Witness): Promise<void> {
  const keys = runs.map(({ key }) => key).toSorted();
  assert.deepEqual(witness.those('begun').toSorted(), keys, 'each has begun once');
  assert.deepEqual(witness.those('ended').toSorted(), keys, 'each has come to its end once');
  const told = new Map<string, unknown[]>();
  const { items } = await cloud.client.call('listRuns', { query: { project, limit: 1000 } });
  for (const { key, state, outcome, code, signal, attempt } of items)
    told.set(key, [state, outcome, code, signal, attempt]);
  assert.equal(told.size, runs.length);
  for (const { key, end } of runs) {
    const outcome = typeof end === 'string' ? 'killed' : end === 0 ? 'succeeded' : 'failed';
    const how = typeof end === 'string' ? [null, end] : [end, null];
    assert.deepEqual(told.get(key), ['ended', outcome, ...how, 1], key);
    const log = await cloud.client.call('runLog', { params: { key } });
    assertWholeLog(log.data ?? '', key);
  }
}

for (const [index, [what, strike]] of Object.entries(strikesOn(() => site)).entries())
  test(`200 runs are in progress, and ${what}: 200 true ends, 200 whole logs, no second start`, async () => {
    const project = `strike-${index}`;
    const witness = new Witness(site.host, project);
    using first = new Gate(site.host, `${project}-first`);
    using second = new Gate(site.host, `${project}-second`);
    const runs = talkers(project, [first, second]);
    await start(project, runs, witness);
    await until('all are in progress', () => witness.those('talks').length === COUNT);
    await runningAre(COUNT, project);

    const isBack = await strike();
    first.open();
    await until('half have ended', () => witness.those('ended').length === COUNT / 2);
    await isBack();
    // What comes now is served, and has its gate open.
    const late = latecomers(project, first);
    await start(project, late, witness);
    await activeAre(COUNT / 2);
    await runningAre(COUNT / 2, project);

    second.open();
    await activeAre(0);
    await assertTrueEnds(project, [...runs, ...late], witness);
  });
