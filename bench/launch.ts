// What it costs to start a run: cold, by the original's way, and by Rocksy, against a bare fork as the limit.
// Prints, for the same class on the same framework, how long it takes from the request to the first line of run(), how
// much CPU and memory a run costs and how many of them go through in a second; then the ratios that Rocksy is held to.
// For Node it shows too what the flags that let it fork cost a job that is long.
//   npm run bench -- launch [--framework symfony|nest|django] [--quick] [--seconds N]
// TMPDIR, else /var/tmp, decides on which disk.
import { parseArgs } from 'node:util';
import type { Application } from './launch/application.ts';
import { django } from './launch/django.ts';
import { printCostOfFlags } from './launch/flags.ts';
import { measureApplication, type Plan } from './launch/measured.ts';
import { nest } from './launch/nest.ts';
import { symfony } from './launch/symfony.ts';
import { printResults } from './launch/tables.ts';
import { printTargets, targetsOf } from './launch/targets.ts';
import { printTurns, targetsOfTurns } from './launch/turns.ts';
import { describeDisk } from './support/disk.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { Site } from './support/site.ts';
import { round } from './support/statistics.ts';

const { values: options } = parseArgs({
  options: {
    framework: { type: 'string', default: 'symfony,nest,django' },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
  },
});
const plan: Plan = {
  seconds: Number(options.seconds ?? (options.quick ? 2 : 8)),
  samples: options.quick ? { warm: 100, cold: 15 } : { warm: 1000, cold: 100 },
  inFlight: 32,
};
const turns = { rounds: options.quick ? 3 : 7, seconds: options.quick ? 1 : 2, inFlight: plan.inFlight };

await using site = new Site();
const APPLICATIONS: Readonly<Record<string, () => Application>> = {
  symfony: () => symfony(site, turns),
  nest: () => nest(site),
  django: () => django(site),
};

for (const name of options.framework.split(',')) {
  const make = APPLICATIONS[name];
  if (make === undefined) {
    throw new Error(`--framework ${name}: expected some of ${Object.keys(APPLICATIONS).join(', ')}`);
  }
  await show(make());
  if (name === 'nest') printCostOfFlags(options.quick ? 3 : 9);
}

async function show(application: Application): Promise<void> {
  const noise = new Noise();
  const machine = describeMachine(site.folder);
  const diskBefore = describeDisk(`${site.forUs()}-disk`);
  const results = await measureApplication(application, plan, noise);
  const taken = await application.takeTurns?.();
  noise.sample();

  console.log(`\n${application.title}`);
  for (const line of machine) console.log(line);
  console.log(`disk:  ${diskBefore}; at the end ${describeDisk(`${site.forUs()}-disk`)}`);
  console.log(`noise: ${noise}`);
  const lives = results.bareLivesMs;
  console.log(`       a bare fork, measured ${lives.length} times: ${lives.map(round).join(', ')} ms`);
  printResults(results, plan);
  if (taken !== undefined) printTurns(taken);
  printTargets('Held to', [
    ...targetsOf(results, application.aims),
    ...(taken === undefined ? [] : targetsOfTurns(taken)),
  ]);
}
