// What clients notice when a server is replaced: rocksyd by `restart`, and what people use instead.
// Prints, by the number of long-lived connections, the longest that any client had to wait, beside the same without a
// replacement; how many connections were cut and requests lost; and where the time of a takeover goes.
//   npm run bench -- takeover [--quick] [--rounds N] [--connections 10,1000] [--only NAME]
import { parseArgs } from 'node:util';
import { raiseDescriptorLimit } from '../src/posix/index.ts';
import { describeMachine } from './support/machine.ts';
import { Noise } from './support/noise.ts';
import { Site } from './support/site.ts';
import { pathOf } from './takeover/processes.ts';
import { type Contender, Unusable } from './takeover/replaceable.ts';
import { printTargets, printTold, printWaits, type Result } from './takeover/report.ts';
import { stopAndStart, takeover } from './takeover/rocksyd.ts';
import { rounds } from './takeover/rounds.ts';
import { haproxyReload } from './ways/haproxy.ts';
import { nginxReload, nginxUpgrade } from './ways/nginx.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    connections: { type: 'string' },
    only: { type: 'string', default: '' },
  },
});
const count = Number(options.rounds ?? (options.quick ? 3 : 20));
const sizes = (options.connections ?? (options.quick ? '10,1000' : '10,1000,10000')).split(',').map(Number);
/** What a server may open besides connections; haproxy wants two descriptors for each. */
const SPARE_DESCRIPTORS = 2000;

async function measure(contender: Contender, connections: number): Promise<Result> {
  const { name, needs } = contender;
  process.stderr.write(`${name}, ${connections} connections …\n`);
  noise.sample();
  if (needs !== null && pathOf(needs.program) === null) {
    const problem = `not measured, ${needs.program} is missing: apt-get install ${needs.debianPackage}`;
    return { connections, name, rounds: [], problem };
  }
  try {
    await using server = await contender.start(site, connections);
    return { connections, name, rounds: await rounds(server, connections, count), problem: null };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { connections, name, rounds: [], problem: error.message };
  }
}

raiseDescriptorLimit(2 * Math.max(...sizes) + SPARE_DESCRIPTORS);
await using site = new Site();
const noise = new Noise();
const machine = describeMachine(site.folder);
const contenders = [takeover, nginxUpgrade, nginxReload, haproxyReload, stopAndStart];
const results: Result[] = [];
for (const connections of sizes) {
  for (const contender of contenders.filter(({ name }) => name.includes(options.only)))
    results.push(await measure(contender, connections));
}
noise.sample();

for (const line of machine) console.log(line);
console.log(`noise: ${noise}`);

printWaits(results);
printTold(results);
printTargets(results, takeover.name);
