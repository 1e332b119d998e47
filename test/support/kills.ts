// Kills the processes of a cloud and its host at random moments, and compares what the ledger says with a witness that the
// jobs write to.
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fire, Run } from '../../src/api/index.ts';
import { TestCloud } from './cloud.ts';
import { isAlive, processesOf, type TestDaemon, until } from './daemon.ts';
import { Random } from './load/random.ts';

const EVERY_MS = 2_000;
const JOBS = 4;
/** Worker and link each wait for up to 10 s before they try again, and each start takes seconds on a busy machine. */
const BACK_MS = 120_000;
const VICTIMS = ['cloud keeper', 'cloud worker', 'host keeper', 'host worker', 'zygote'] as const;
type Victim = (typeof VICTIMS)[number];

export interface KillsReport {
  /** How many processes of each kind. */
  readonly killed: Readonly<Record<Victim, number>>;
  readonly fires: number;
  readonly runs: number;
  readonly lost: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** So many kills, at moments that a seed decides, within 2 s of a fire. */
export async function kills(count: number, seed: number, tell: (line: string) => void): Promise<KillsReport> {
  const random = new Random(seed);
  await using cloud = await TestCloud.start();
  const host = await cloud.host();
  const witness = path.join(host.scratch, 'witness');
  fs.writeFileSync(witness, '', { mode: 0o666 });
  fs.chmodSync(witness, 0o666);
  await cloud.apply(jobsText(witness));
  const begunMs = Date.now();
  const killed = Object.fromEntries(VICTIMS.map((victim) => [victim, 0])) as Record<Victim, number>;
  for (let i = 0; i < count; i++) {
    const victim = random.pick(VICTIMS);
    await wait(EVERY_MS - (Date.now() % EVERY_MS) + random.integer(0, EVERY_MS));
    killed[victim] += await kill(victim, cloud, host);
    if (i % 50 === 49) tell(`${i + 1} of ${count} killed`);
  }
  try {
    await until(
      'the cloud and its host are back',
      async () => (await cloud.client.call('status', {})).hosts_connected === 1,
      BACK_MS,
    );
  } catch (error) {
    tell([...cloud.output.slice(-40), ...host.output.slice(-40)].join('\n'));
    throw error;
  }
  await cloud.client.call('pauseAll', { body: {} });
  const endedMs = Date.now();
  await until(
    'every run has ended',
    async () => (await cloud.client.call('status', {})).active === 0,
    60_000,
  );
  return { killed, ...(await compare(cloud, begunMs, endedMs, fs.readFileSync(witness, 'utf8'))) };
}

/** Each writes that it begins and, a moment later, by which code it ends: it depends on its due time. */
function jobsText(witness: string): string {
  const script = (name: string) =>
    `echo "b ${name} $ROCKSY_DUE" >> ${witness}; sleep 0.2; echo "e ${name} $ROCKSY_DUE" >> ${witness}; case $ROCKSY_DUE in *[048].000Z) exit 0;; *) exit 3;; esac`;
  const jobs = Array.from(
    { length: JOBS },
    (_, i) =>
      `  j${i}: { argv: [sh, -c, '${script(`j${i}`)}'], schedule: { every: ${EVERY_MS}ms }, overlap: allow, misfire: all }`,
  );
  return `project: kills\ndefaults: { pool: os }\njobs:\n${jobs.join('\n')}\n`;
}

/** How many processes: the one before may not have come back yet. */
async function kill(victim: Victim, cloud: TestCloud, host: TestDaemon): Promise<number> {
  switch (victim) {
    case 'cloud keeper':
      cloud.kill('SIGKILL');
      await cloud.exited();
      await cloud.start();
      return 1;
    case 'cloud worker':
      return killProcesses([cloud.workerPid]);
    case 'host keeper':
      await host.killAll();
      await host.start();
      return 1;
    case 'host worker':
      return killProcesses([workerOf(host.keeperPid)]);
    case 'zygote':
      return killProcesses(zygotesOf(host));
  }
}

function killProcesses(pids: readonly number[]): number {
  const alive = pids.filter((pid) => pid > 1 && isAlive(pid));
  for (const pid of alive) process.kill(pid, 'SIGKILL');
  return alive.length;
}

function workerOf(keeper: number): number {
  const children = fs.readFileSync(`/proc/${keeper}/task/${keeper}/children`, 'utf8').trim().split(' ');
  return Number(children.find((pid) => /rocksyd/.test(commandOf(Number(pid)))) ?? 0);
}

function zygotesOf(host: TestDaemon): number[] {
  return processesOf(host.folder).filter((pid) => commandOf(pid).startsWith('rocksy zygote '));
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

async function compare(
  cloud: TestCloud,
  begunMs: number,
  endedMs: number,
  text: string,
): Promise<Omit<KillsReport, 'killed'>> {
  const problems: string[] = [];
  const skipped: Record<string, number> = {};
  const seen = Map.groupBy(text.trimEnd().split('\n'), (line) => line);
  const times = (line: string) => seen.get(line)?.length ?? 0;
  let [fireCount, runCount, lost] = [0, 0, 0];
  for (let i = 0; i < JOBS; i++) {
    const name = `j${i}`;
    const params = { project: 'kills', name };
    const fires = new Map<number, Fire>();
    const query = { from_ms: begunMs, to_ms: endedMs, order: 'asc', limit: 1000 } as const;
    const runs = await runsOf(cloud, name);
    for await (const fire of cloud.client.all('ledger', { params, query })) fires.set(fire.due_ms, fire);
    for (let due = Math.ceil(begunMs / EVERY_MS) * EVERY_MS; due < endedMs; due += EVERY_MS) {
      const fire = fires.get(due);
      const what = `${name} ${new Date(due).toISOString()}`;
      fireCount++;
      const [begun, ended] = [times(`b ${what}`), times(`e ${what}`)];
      if (fire === undefined) problems.push(`${what} is not in the ledger`);
      else if (fire.run_key === null) {
        skipped[String(fire.reason)] = (skipped[String(fire.reason)] ?? 0) + 1;
        if (begun > 0) problems.push(`${what} was skipped (${fire.reason}), and ran`);
      } else {
        runCount++;
        const run = runs.get(fire.run_key);
        if (run?.outcome === 'lost') lost++;
        const wrong =
          run === undefined ? `run ${fire.run_key} is not there` : mistakeIn(run, due, begun, ended);
        if (wrong !== null) problems.push(`${what}: ${wrong}`);
      }
    }
  }
  return { fires: fireCount, runs: runCount, lost, skipped, problems };
}

/** By pages: one by one they are more requests than a client may send in a minute. */
async function runsOf(cloud: TestCloud, job: string): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  const query = { project: 'kills', job, limit: 1000 } as const;
  for await (const run of cloud.client.all('listRuns', { query })) runs.set(run.key, run);
  return runs;
}

/** What the run's record says and the witness does not; null: they agree. */
function mistakeIn(
  { state, outcome, code, error, key }: Run,
  due: number,
  begun: number,
  ended: number,
): string | null {
  if (state !== 'ended') return `run ${key} is ${state}`;
  if (begun !== 1) return `${begun} executions of run ${key}, which ${outcome} (${error})`;
  if (outcome === 'lost') return null;
  const last = new Date(due).toISOString().at(-6) ?? '';
  const wanted = '048'.includes(last) ? 0 : 3;
  if (outcome === 'killed') return `run ${key} was killed, and nobody has killed it`;
  if (ended !== 1) return `run ${key} ${outcome} without having got to its end`;
  return code === wanted ? null : `run ${key} ended by ${wanted}, and its record says ${outcome} (${code})`;
}
