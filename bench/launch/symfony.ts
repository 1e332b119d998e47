import { inTurns } from '../support/in-turns.ts';
import { rate } from '../support/measure.ts';
import { BOOTSTRAP, coldArguments } from '../support/php.ts';
import type { Site } from '../support/site.ts';
import { bareForkOfPhp } from '../ways/bare-php.ts';
import { Cold } from '../ways/cold.ts';
import { Original } from '../ways/original.ts';
import { type Pool, Rocksy } from '../ways/rocksy.ts';
import type { Way } from '../ways/way.ts';
import { type Application, measurable } from './application.ts';
import type { Turns } from './turns.ts';

/** How the rates that are compared in turns are measured. */
export interface TurnPlan {
  readonly rounds: number;
  readonly seconds: number;
  readonly inFlight: number;
}

/** examples/symfony, with the measured classes beside it. */
export function symfony(site: Site, turns: TurnPlan): Application {
  const start = async (pool: Pool) => measurable(await Rocksy.start(site, pool));
  return {
    title: 'Symfony',
    rows: [
      { kind: 'cold', start: async () => measurable(cold(site, 'cold', null)) },
      { kind: 'cold', start: async () => measurable(cold(site, "cold, opcache's file cache", site.forUs())) },
      { kind: 'started', start: () => start(command(site)) },
      {
        kind: 'other',
        start: async () => {
          const way = await Original.start(site);
          return { ...measurable(way), rate: (inFlight, seconds) => way.bestRate(inFlight, seconds) };
        },
      },
      { kind: 'fork', start: () => start(forking(site, 0)) },
      { kind: 'prefork', start: () => start(forking(site, 8)) },
    ],
    aims: { ofLimit: 1.5, timesCold: { fork: 30, prefork: 50 } },
    limit: async () => ({
      name: 'a PHP that has loaded the same framework',
      fork: (options) => bareForkOfPhp(site, options),
    }),
    takeTurns: () => takeTurns(site, turns),
  };
}

function cold(site: Site, name: string, fileCache: string | null): Cold {
  const args = coldArguments(fileCache);
  return new Cold(name, site.forUs(), {
    argv: (job, param) => ['php', ...args, `Bench\\${job}`, JSON.stringify([param])],
    env: { SHOP_CACHE: site.forUs() },
  });
}

/** A command pool that runs the cold script, with opcache's file cache. */
function command(site: Site): Pool {
  const args = coldArguments(site.forPool());
  return {
    name: 'Rocksy, command, file cache',
    keys: `runtime: command, {user}, env: { SHOP_CACHE: ${site.forPool()} }`,
    request: (job, param) => ({ argv: ['php', ...args, `Bench\\${job}`, JSON.stringify([param])] }),
  };
}

/** 0 parked children: fork on request. */
function forking(site: Site, prefork: number): Pool {
  return {
    name: prefork === 0 ? 'Rocksy, fork on request' : `Rocksy, prefork: ${prefork}`,
    keys: `runtime: php, {user}, bootstrap: ${BOOTSTRAP}, prefork: ${prefork}, env: { SHOP_CACHE: ${site.forPool()} }`,
    request: (job, param) => ({ class: `Bench\\${job}`, params: [param] }),
  };
}

/** The rates that the aims compare, in turns: two kinds of bare fork, the original's way, fork on request, prefork. */
async function takeTurns(site: Site, { rounds, seconds, inFlight }: TurnPlan): Promise<Turns> {
  process.stderr.write('in turns …\n');
  await using original = await Original.start(site);
  await using fork = await Rocksy.start(site, forking(site, 0));
  await using prefork = await Rocksy.start(site, forking(site, 8));
  const forked = (atOnce: 1 | 2): number =>
    bareForkOfPhp(site, { seconds, atOnce, hugePages: true }).perSecond;
  const ran = async (way: Way): Promise<number> => (await rate(way, inFlight, seconds)).perSecond;
  original.pollMs = 20;
  const contestants = [
    { name: 'limit: bare fork, one at a time', rate: () => forked(1) },
    { name: 'limit: bare fork, two at once', rate: () => forked(2) },
    ...[original, fork, prefork].map((way) => ({ name: way.name, rate: () => ran(way) })),
  ];
  for (const way of [original, fork, prefork]) await rate(way, inFlight, 1); // warms code
  return {
    inFlight,
    seconds,
    names: contestants.map(({ name }) => name),
    rates: await inTurns(contestants, rounds),
  };
}
