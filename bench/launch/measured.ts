import { firstLines, privateBytesOfRun, type Rate } from '../support/measure.ts';
import type { Noise } from '../support/noise.ts';
import { median } from '../support/statistics.ts';
import type { Bare } from '../ways/bare.ts';
import type { Application, Limit, Measurable, Row } from './application.ts';

/** How much is measured. */
export interface Plan {
  readonly seconds: number;
  readonly samples: { readonly cold: number; readonly warm: number };
  readonly inFlight: number;
}

export interface Measured {
  readonly kind: Row['kind'];
  readonly name: string;
  /** Requests that come now and then. */
  readonly calm: readonly number[];
  /** Each request at once after the outcome of the one before. */
  readonly busy: readonly number[];
  readonly one: Rate;
  readonly many: Rate;
  readonly privateBytes: number;
}

export interface Results {
  readonly rows: readonly Measured[];
  readonly limit: Limit;
  readonly bare: BareForks;
  /** The median life of a bare fork, at several times of the measurement. */
  readonly bareLivesMs: readonly number[];
}

interface BareForks {
  readonly one: Bare;
  readonly two: Bare;
  readonly smallPages: Bare;
}

/** Row by row, and the limit right behind the fork that it is compared with and at the end again: the quicker one counts. */
export async function measureApplication(
  { title, rows, limit: limitOf }: Application,
  plan: Plan,
  noise: Noise,
): Promise<Results> {
  const measured: Measured[] = [];
  let limit: Limit | null = null;
  const bares: BareForks[] = [];
  for (const row of rows) {
    noise.sample();
    if (row.kind === 'fork') {
      const measurable = await row.start();
      await using fork = measurable.way;
      measured.push(await measure(row.kind, measurable, plan));
      limit = await limitOf(fork);
      bares.push(forkBarely(limit, plan));
    } else {
      const measurable = await row.start();
      await using _ = measurable.way;
      measured.push(await measure(row.kind, measurable, plan));
    }
  }
  if (limit === null) throw new Error(`${title}: no row forks on request`);
  bares.push(forkBarely(limit, plan));
  noise.sample();
  const [bare] = bares.toSorted((a, b) => b.one.perSecond - a.one.perSecond) as [BareForks];
  return { rows: measured, limit, bare, bareLivesMs: bares.map(({ one }) => median(one.livesMs)) };
}

async function measure(kind: Row['kind'], { way, pauseMs, rate }: Measurable, plan: Plan): Promise<Measured> {
  process.stderr.write(`${way.name} …\n`);
  const count = samplesOf(kind, plan);
  await firstLines(way, Math.min(count, 20), 0); // warms caches and code
  const calm = await firstLines(way, count, pauseMs);
  const busy = await firstLines(way, count, 0);
  const privateBytes = await privateBytesOfRun(way);
  const one = await rate(1, plan.seconds);
  return {
    kind,
    name: way.name,
    calm,
    busy,
    privateBytes,
    one,
    many: await rate(plan.inFlight, plan.seconds),
  };
}

export function samplesOf(kind: Row['kind'], { samples }: Plan): number {
  return kind === 'cold' || kind === 'started' ? samples.cold : samples.warm;
}

function forkBarely(limit: Limit, { seconds }: Plan): BareForks {
  process.stderr.write(`${limit.name} …\n`);
  const fork = (atOnce: 1 | 2, hugePages: boolean): Bare =>
    limit.fork({ seconds: seconds / 2, atOnce, hugePages });
  return { one: fork(1, true), two: fork(2, true), smallPages: fork(1, false) };
}
