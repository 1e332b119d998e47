// `npm run faults [-- --kills N --seed S]`: kills the processes of a cloud and its host N times (1,000) at random moments
// within 2 s of a fire, and compares the ledger with a witness that the jobs write to. 1,000 kills take about an hour.
import { parseArgs } from 'node:util';
import { kills } from '../test/support/kills.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
console.log(`seed ${seed}`);
const { problems, ...counts } = await kills(Number(values.kills), seed, console.log);
console.log(counts);
const spared = Object.entries(counts.killed).flatMap(([victim, times]) => (times === 0 ? victim : []));
for (const problem of problems.slice(0, 50)) console.error(problem);
if (spared.length > 0) console.error(`Never killed: ${spared.join(', ')}`);
console.log(problems.length === 0 ? 'No difference.' : `${problems.length} differences`);
process.exitCode = problems.length + spared.length === 0 ? 0 : 1;
