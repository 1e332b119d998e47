// The log of a run of 2 GB over the HTTP API of a real server with a real host: the first screen, the last one, and a search
// for a rare word near its end.
// Resident memory of both workers meanwhile, by the kernel's own account of the peak. The log is in the page cache.
//   npm run bench -- log [--quick] [--rounds N]      --quick: a twentieth of it; TMPDIR, else /var/tmp, decides on which disk
import { parseArgs } from 'node:util';
import { TestCloud } from '../test/support/cloud.ts';
import type { TestDaemon } from '../test/support/daemon.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { Site } from './support/site.ts';
import { median } from './support/statistics.ts';
import { printTable } from './support/table.ts';
import { forgetPeak, peakBytes, residentBytes } from './support/usage.ts';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string', default: '20' } },
});
const ROUNDS = Number(options.rounds);
const SIZE = options.quick ? 100_000_000 : 2_000_000_000;
const SCREEN = 65_536;
const MB = 1_000_000;
const LIMIT_MS = 300;
const LIMIT_BYTES = 20 * MB;
/** Which stands behind all but so many lines. */
const RARE = 'quokka';
const BEHIND = 1_000;
const LINE = 'line %015.0f of a log, which with its number is 64 bytes';
const PATIENCE_MS = 600_000;

interface Measured {
  readonly what: string;
  readonly times: readonly number[];
  /** Peak less what there was before, of the server's worker and the host's. */
  readonly growth: readonly [server: number, host: number];
}

/** What has aims. */
const SCREENS = ['first screen', 'last screen'];

const lines = Math.floor(SIZE / 65);
const script = `seq -f "$0" ${lines - BEHIND}; echo the ${RARE} has been seen; seq -f "$0" ${lines - BEHIND + 1} ${lines}`;

/** A run that has written such a log, and how long that took. */
async function written(cloud: TestCloud): Promise<{ key: string; tookMs: number }> {
  const begun = performance.now();
  const { key } = await cloud.client.call('createRun', {
    body: { pool: 'os', argv: ['sh', '-c', script, LINE] },
  });
  const run = await cloud.run(key, 'has ended', ({ state }) => state === 'ended', PATIENCE_MS);
  if (run.outcome !== 'succeeded') throw new Error(`the log was not written: ${run.outcome} ${run.error}`);
  return { key, tookMs: performance.now() - begun };
}

async function screen(cloud: TestCloud, key: string, offset: number, expected: string): Promise<void> {
  const { data = '' } = await cloud.client.call('runLog', {
    params: { key },
    query: { offset, length: SCREEN },
  });
  if (data.length < SCREEN - 3 || !data.includes(expected)) throw new Error(`not the screen at ${offset}`);
}

/** Request after request, as `rocksy logs --grep` does it: each looks through 32 MiB at most. */
async function search(cloud: TestCloud, key: string): Promise<void> {
  for (let offset = 0, end = false; !end; ) {
    const query = { text: RARE, offset, limit: 1 };
    const found = await cloud.client.call('searchLog', { params: { key }, query });
    if (found.matches.length > 0) return;
    ({ next_offset: offset, end } = found);
  }
  throw new Error(`${RARE} was not found`);
}

async function measured(
  what: string,
  pids: readonly [server: number, host: number],
  rounds: number,
  act: () => Promise<void>,
): Promise<Measured> {
  const before = pids.map(residentBytes);
  for (const pid of pids) forgetPeak(pid);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    await act();
    times.push(performance.now() - begin);
  }
  const [server = Number.NaN, host = Number.NaN] = pids.map((pid, i) => peakBytes(pid) - (before[i] ?? 0));
  return { what, times, growth: [server, host] };
}

async function all(cloud: TestCloud, daemon: TestDaemon): Promise<Measured[]> {
  const pids = [cloud.workerPid, await daemon.workerPid()] as const;
  let key = '';
  const writing = await measured('while it is written', pids, 1, async () => {
    ({ key } = await written(cloud));
  });
  const last = `line ${String(lines).padStart(15, '0')} of`;
  const steps: readonly (readonly [what: string, act: () => Promise<void>])[] = [
    ['first screen', () => screen(cloud, key, 0, 'line 000000000000001 of')],
    ['last screen', () => screen(cloud, key, -SCREEN, last)],
    [`search for a word ${BEHIND} lines before the end`, () => search(cloud, key)],
  ];
  const results = [writing];
  for (const [what, act] of steps) results.push(await measured(what, pids, ROUNDS, act));
  return results;
}

const isQuick = ({ times }: Measured): boolean => Math.max(...times) <= LIMIT_MS;
const isSmall = ({ growth }: Measured): boolean => Math.max(...growth) <= LIMIT_BYTES;

/** Null: it has no aim. */
function verdict({ what }: Measured, isMet: boolean): string | null {
  return SCREENS.includes(what) ? (isMet ? 'yes' : 'NO') : null;
}

function report(results: readonly Measured[]): void {
  printTable(
    `A log of ${SIZE / 1e9} GB (${lines} lines), over HTTP by a Unix socket; screens of ${SCREEN / 1024} KiB; ms`,
    ['', 'p50', 'worst', `<= ${LIMIT_MS}`],
    results.map((each) => {
      const { what, times } = each;
      return [
        what,
        times.length === 1 ? null : median(times),
        Math.max(...times),
        verdict(each, isQuick(each)),
      ];
    }),
  );
  printTable(
    'Resident memory meanwhile, peak less what there was before; MB',
    ['', "server's worker", "host's worker", `<= ${LIMIT_BYTES / MB}`],
    results.map((each) => {
      const [server, host] = each.growth;
      return [each.what, server / MB, host / MB, verdict(each, isSmall(each))];
    }),
  );
}

await using site = new Site();
const machine = describeMachine(site.folder);
const noise = new Noise();
noise.sample();
await using cloud = await TestCloud.start({ program: site.command });
const daemon = await cloud.host({ program: site.program, more: 'log_max: unlimited' });
// What is only made at the first request of its kind is not the log's.
const { key: small } = await cloud.client.call('createRun', {
  body: { pool: 'os', argv: ['sh', '-c', `seq -f "$0" 2000; echo ${RARE}`, LINE] },
});
await cloud.ended(small);
await screen(cloud, small, 0, 'line 000000000000001 of');
await search(cloud, small);
const results = await all(cloud, daemon);
noise.sample();
for (const line of machine) console.log(line);
report(results);
console.log(`\nNoise: ${noise}`);
const aimed = results.filter(({ what }) => SCREENS.includes(what));
if (!aimed.every((each) => isQuick(each) && isSmall(each))) process.exitCode = 1;
