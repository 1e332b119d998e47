// What it costs to start a run: cold, by the original's way, and by Rocksy, against a bare fork as the limit.
// Prints, for the same class on the same framework, how long it takes from the request to the first line of run(), how
// much CPU and memory a run costs and how many of them go through in a second; then the ratios that Rocksy is held to.
//   npm run bench -- launch [--quick] [--seconds N]      TMPDIR, else /var/tmp, decides on which disk
import { parseArgs } from 'node:util';
import { describeDisk } from './support/disk.ts';
import { inTurns, ratios } from './support/in-turns.ts';
import { describeMachine } from './support/machine.ts';
import { firstLines, privateBytesOfRun, type Rate, rate } from './support/measure.ts';
import { Noise } from './support/noise.ts';
import { Site } from './support/site.ts';
import { median, quantile, round } from './support/statistics.ts';
import { printTable } from './support/table.ts';
import { type Bare, bareFork } from './ways/bare.ts';
import { Cold } from './ways/cold.ts';
import { Original } from './ways/original.ts';
import { Rocksy } from './ways/rocksy.ts';
import type { Way } from './ways/way.ts';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, seconds: { type: 'string' } },
});
const seconds = Number(options.seconds ?? (options.quick ? 2 : 8));
const samples = options.quick ? { warm: 100, cold: 15 } : { warm: 1000, cold: 100 };
const turnSeconds = options.quick ? 1 : 2;
const ROUNDS = options.quick ? 3 : 7;
const IN_FLIGHT = 32;
/** Between two requests that come now and then: long enough for the replacement of a parked child. */
const PAUSE_MS = 20;
/** Pauses of the original's client, of which the best counts. */
const POLLS_MS = [1, 5, 20];

interface Measured {
  readonly name: string;
  /** Requests that come now and then. */
  readonly calm: readonly number[];
  /** Each request at once after the outcome of the one before. */
  readonly busy: readonly number[];
  readonly one: Rate;
  readonly many: Rate;
  readonly privateBytes: number;
}

async function measure(
  way: Way,
  count: number,
  quickest: (inFlight: number) => Promise<Rate>,
): Promise<Measured> {
  process.stderr.write(`${way.name} …\n`);
  noise.sample();
  await firstLines(way, Math.min(count, 20), 0); // warms caches and code
  const calm = await firstLines(way, count, PAUSE_MS);
  const busy = await firstLines(way, count, 0);
  const privateBytes = await privateBytesOfRun(way);
  return {
    name: way.name,
    calm,
    busy,
    one: await quickest(1),
    many: await quickest(IN_FLIGHT),
    privateBytes,
  };
}

async function plain(way: Way, count: number): Promise<Measured> {
  await using measured = way;
  return await measure(measured, count, (inFlight) => rate(measured, inFlight, seconds));
}

async function original(): Promise<Measured> {
  await using way = await Original.start(site);
  return await measure(way, samples.warm, async (inFlight) => {
    let best: Rate = { perSecond: 0, cpuMs: 0, faults: 0 };
    for (const pollMs of POLLS_MS) {
      way.pollMs = pollMs;
      const found = await rate(way, inFlight, seconds / POLLS_MS.length);
      if (found.perSecond > best.perSecond) best = found;
    }
    way.pollMs = 1;
    return best;
  });
}

interface Turns {
  readonly names: readonly string[];
  readonly rates: readonly (readonly number[])[];
}

/** The rates that the aims compare, in turns: two kinds of bare fork, the original's way, fork on request, prefork. */
async function takeTurns(): Promise<Turns> {
  process.stderr.write('in turns …\n');
  await using original = await Original.start(site);
  await using fork = await Rocksy.php(site, 0);
  await using prefork = await Rocksy.php(site, 8);
  const forked = (atOnce: 1 | 2): number =>
    bareFork(site, { seconds: turnSeconds, atOnce, hugePages: true }).perSecond;
  const ran = async (way: Way): Promise<number> => (await rate(way, IN_FLIGHT, turnSeconds)).perSecond;
  original.pollMs = 20;
  const contestants = [
    { name: 'limit: bare fork, one at a time', rate: () => forked(1) },
    { name: 'limit: bare fork, two at once', rate: () => forked(2) },
    ...[original, fork, prefork].map((way) => ({ name: way.name, rate: () => ran(way) })),
  ];
  for (const way of [original, fork, prefork]) await rate(way, IN_FLIGHT, 1); // warms code
  return { names: contestants.map(({ name }) => name), rates: await inTurns(contestants, ROUNDS) };
}

function limits(): { one: Bare; two: Bare; smallPages: Bare } {
  process.stderr.write('bare fork …\n');
  noise.sample();
  const limit = (atOnce: 1 | 2, hugePages: boolean): Bare => {
    const bare = bareFork(site, { seconds: seconds / 2, atOnce, hugePages });
    if (atOnce === 1 && hugePages) bareLives.push(median(bare.livesMs));
    return bare;
  };
  return { one: limit(1, true), two: limit(2, true), smallPages: limit(1, false) };
}

await using site = new Site();
const noise = new Noise();
/** The median life of a bare fork, at several times of the measurement. */
const bareLives: number[] = [];
const machine = describeMachine(site.folder);
const diskBefore = describeDisk(`${site.forUs()}-disk`);

const bareFirst = limits();
const cold = await plain(new Cold(site, 'without'), samples.cold);
const coldCached = await plain(new Cold(site, 'with file cache'), samples.cold);
const command = await plain(await Rocksy.command(site), samples.cold);
const originals = await original();
limits();
const fork = await plain(await Rocksy.php(site, 0), samples.warm);
const prefork = await plain(await Rocksy.php(site, 8), samples.warm);
const turns = await takeTurns();
const bareLast = limits();
noise.sample();
const bare = bareFirst.one.perSecond > bareLast.one.perSecond ? bareFirst : bareLast;

for (const line of machine) console.log(line);
console.log(`disk:  ${diskBefore}; at the end ${describeDisk(`${site.forUs()}-disk`)}`);
console.log(`noise: ${noise}`);
console.log(
  `       a bare fork, measured ${bareLives.length} times over the whole time: ${bareLives.map(round).join(', ')} ms`,
);

const MIB = 2 ** 20;
const rows = [cold, coldCached, command, originals, fork, prefork];
printTable(
  `From the request to the first line of run(), ms; n = ${samples.cold} cold and command, ${samples.warm} others`,
  ['', `p50, ${PAUSE_MS} ms apart`, 'p99', 'p50, back to back', 'p99'],
  [
    ...rows.map(({ name, calm, busy }) => [
      name,
      median(calm),
      quantile(calm, 0.99),
      median(busy),
      quantile(busy, 0.99),
    ]),
    [
      'limit: bare fork to first statement',
      null,
      null,
      median(bare.one.startsMs),
      quantile(bare.one.startsMs, 0.99),
    ],
  ],
);
printTable(
  `The empty class, ${seconds} s each, counted at the known outcome`,
  [
    '',
    'runs/s, 1',
    `runs/s, ${IN_FLIGHT}`,
    'CPU ms/run, 1',
    `CPU ms/run, ${IN_FLIGHT}`,
    'page faults/run',
    'private MiB',
  ],
  [
    ...rows.map(({ name, one, many, privateBytes }) => [
      name,
      one.perSecond,
      many.perSecond,
      one.cpuMs,
      many.cpuMs,
      one.faults,
      privateBytes / MIB,
    ]),
    ...(
      [
        ['limit: bare fork, one at a time', bare.one],
        ['limit: bare fork, two at once', bare.two],
        ['bare fork without huge pages', bare.smallPages],
      ] as const
    ).map(([name, { perSecond, cpuMs, faults, privateBytes }]) => [
      name,
      perSecond,
      null,
      cpuMs,
      null,
      faults,
      privateBytes / MIB,
    ]),
  ],
);

const [bareOne = [], bareTwo = [], originalTurns = [], forkTurns = [], preforkTurns = []] = turns.rates;
printTable(
  `Runs/s with ${IN_FLIGHT} in flight, in ${ROUNDS} turns of ${turnSeconds} s (${originals.name}: one \`check\` in 20 ms)`,
  ['', ...Array.from({ length: ROUNDS }, (_, round) => String(round + 1)), 'median'],
  turns.rates.map((rates, index) => [turns.names[index] ?? '', ...rates, median(rates)]),
);

const bareLife = median(bare.one.livesMs);
const bestTurns = median(forkTurns) > median(preforkTurns) ? forkTurns : preforkTurns;
type Target = readonly [
  name: string,
  measured: number,
  unit: string,
  wanted: number,
  side: 'at most' | 'at least',
];
const targets: readonly Target[] = [
  [
    'fork on request p50, against 1.5 × a bare fork and 1 ms',
    median(fork.calm),
    ' ms',
    1.5 * bareLife + 1,
    'at most',
  ],
  ['prefork p50', median(prefork.calm), ' ms', 1, 'at most'],
  ['prefork p50, back to back', median(prefork.busy), ' ms', 1, 'at most'],
  ['prefork, times faster than cold', median(cold.calm) / median(prefork.calm), ' ×', 50, 'at least'],
  ['  than cold with file cache', median(coldCached.calm) / median(prefork.calm), ' ×', 50, 'at least'],
  ['fork, times faster than cold', median(cold.calm) / median(fork.calm), ' ×', 30, 'at least'],
  ['  than cold with file cache', median(coldCached.calm) / median(fork.calm), ' ×', 30, 'at least'],
  ['prefork, CPU per run in % of cold', (100 * prefork.one.cpuMs) / cold.one.cpuMs, ' %', 5, 'at most'],
  ['  of cold with file cache', (100 * prefork.one.cpuMs) / coldCached.one.cpuMs, ' %', 5, 'at most'],
  ['fork, CPU per run in % of cold', (100 * fork.one.cpuMs) / cold.one.cpuMs, ' %', 5, 'at most'],
  ['  of cold with file cache', (100 * fork.one.cpuMs) / coldCached.one.cpuMs, ' %', 5, 'at most'],
  [
    `${IN_FLIGHT} in flight, in % of bare forks one at a time (in turns)`,
    100 * median(ratios(bestTurns, bareOne)),
    ' %',
    60,
    'at least',
  ],
  ['  of bare forks two at once', 100 * median(ratios(bestTurns, bareTwo)), ' %', 60, 'at least'],
  [
    `${IN_FLIGHT} in flight, against the original's way`,
    median(ratios(bestTurns, originalTurns)),
    ' ×',
    1.8,
    'at least',
  ],
];
printTable(
  'Held to',
  ['', 'measured', 'wanted', ''],
  targets.map(([name, measured, unit, wanted, side]) => [
    name,
    round(measured) + unit,
    `${side} ${round(wanted)}${unit}`,
    (side === 'at most' ? measured <= wanted : measured >= wanted) ? 'yes' : 'no',
  ]),
);
