// kill -9 of either side of a takeover, or of the keeper, at every named step, with clients at work.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client } from '../../src/client/index.ts';
import { processesOf, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { type Load, NO_LOSSES, startLoad } from '../support/load/load.ts';
import { childrenOf, workersOf } from '../support/processes.ts';
import type { Releases } from '../support/releases.ts';
import { assertRanOnce, type Marked, marked } from '../support/runs.ts';
import {
  atStep,
  hasCome,
  KILL_ITSELF,
  KILL_KEEPER,
  releasesWithSteps,
  STEPS_ENV,
  type Step,
} from '../support/steps.ts';

/** More than are passed while everything stands still. */
const CONNECTIONS = 60;
const RUNS = 6;

/** Whoever has the connections lives on, or has handed over all of them: nobody notices. */
const UNNOTICED: readonly Step[] = [
  'successor:prepared',
  'successor:passed',
  'successor:rehearsed',
  'successor:frozen',
  'successor:adopted',
  'predecessor:frozen',
  'predecessor:adopted',
];

/** Who has the connections is killed, or may have had them: they are cut, and that is all. */
const NOTICED: readonly Step[] = [
  'predecessor:introduced',
  'predecessor:passed',
  'predecessor:rehearsed',
  'predecessor:quiesced',
  'successor:said',
  'successor:committed',
];

let releases: Releases;
let daemon: TestDaemon;

before(() => {
  releases = releasesWithSteps();
});

after(() => releases[Symbol.dispose]());

/** A daemon for each group: a worker that is killed often is started again later and later. */
function withDaemon(): void {
  before(async () => {
    daemon = await TestDaemon.start({
      pools: '  os: { runtime: command, {user} }',
      listen: ['tcp://127.0.0.1:0'],
      more: 'auth: none\n',
      program: releases.program,
      env: STEPS_ENV,
    });
  });
  after(() => daemon[Symbol.asyncDispose]());
}

function loadOf(seed: number): Promise<Load> {
  const addresses = [{ path: daemon.socket }, { port: daemon.tcpPort }] as const;
  return startLoad({
    addresses,
    connections: CONNECTIONS,
    requestsPerSecond: 200,
    seed,
    state: daemon.state,
  });
}

/** Runs that wait at a gate; each ends with a code of its own. */
async function begin(client: Client, name: string, gate: Gate): Promise<Marked[]> {
  const runs = Array.from(
    { length: RUNS },
    (_, code): Marked => ({ key: `${name}-${code}`, pool: 'os', runtime: 'command', code, gate }),
  );
  await Promise.all(runs.map((run) => client.run(marked(daemon, run))));
  return runs;
}

/** Resolves when one worker serves, and no other process of a takeover is left. */
async function settled(): Promise<void> {
  await until('one worker serves, and no other is left', async () => {
    const workers = workersOf(daemon);
    return workers.length === 1 && workers[0] === (await daemon.workerPid());
  });
  await until('no zombie is left', () => childrenOf(daemon.keeperPid).every(({ state }) => state !== 'Z'));
}

async function killedOver(step: Step): Promise<void> {
  await using client = await daemon.connect();
  using gate = new Gate(daemon, `gate-${step}`);
  const runs = await begin(client, step, gate);
  atStep(daemon, step, KILL_ITSELF);
  daemon.kill('SIGHUP');
  await until(`somebody is killed at ${step}`, () => hasCome(daemon, step));
  await settled();
  gate.open();
  for (const run of runs) await assertRanOnce(daemon, client, run);
}

/** Over the next takeover nobody is killed. */
async function takeOver(): Promise<void> {
  const worker = await daemon.workerPid();
  await (await daemon.connect()).restart();
  assert.notEqual(await daemon.workerPid(), worker);
}

/** One load over all tests of a suite. */
function withLoad(seed: number): () => Load {
  let load: Load;
  before(async () => {
    load = await loadOf(seed);
  });
  after(async () => {
    await load[Symbol.asyncDispose]();
  });
  return () => load;
}

describe('who does not have the connections is killed: nobody notices', () => {
  withDaemon();
  const load = withLoad(1);
  for (const step of UNNOTICED) test(step, () => killedOver(step));
  test('no client has lost anything', async () => {
    await takeOver();
    const { losses, complaints } = await load().stop();
    assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
  });
});

describe('who has the connections is killed: they are cut, and nothing worse', () => {
  withDaemon();
  const load = withLoad(2);
  for (const step of NOTICED) test(step, () => killedOver(step));
  test('nobody was told anything twice or wrong, and no newcomer was refused', async () => {
    await takeOver();
    const { losses, complaints } = await load().stop();
    const { lost, cut, ...others } = losses;
    assert.deepEqual(others, { doubled: 0, misordered: 0, wrong: 0, refused: 0 }, complaints.join('\n'));
    assert.ok(cut > 0 && lost > 0);
  });
});

describe('the keeper is killed in mid-takeover: both workers end, and the next start knows every run', () => {
  withDaemon();
  for (const step of [...UNNOTICED, ...NOTICED]) {
    test(step, async () => {
      const name = `keeper-${step}`;
      using gate = new Gate(daemon, `gate-${name}`);
      const runs = await begin(await daemon.connect(), name, gate);
      atStep(daemon, step, KILL_KEEPER);
      daemon.kill('SIGHUP');
      assert.equal(await daemon.exited(), 'SIGKILL');
      await until('no worker is left', () => rocksyds().length === 0);
      await daemon.start();
      const client = await daemon.connect();
      assert.equal((await client.status(`${name}-0`)).state, 'running');
      gate.open();
      for (const run of runs) await assertRanOnce(daemon, client, run);
      await settled();
    });
  }
});

/** Processes of the daemon itself, whoever is their parent by now. */
function rocksyds(): number[] {
  return processesOf(`${daemon.folder}/rocksyd.yaml`);
}
