import path from 'node:path';
import { shortOnes } from '../../src/zygote/node/fork-safety/short.ts';
import { MOST_GROWTH_BYTES } from '../../src/zygote/node/garbage.ts';
import type { Job, Subject } from './subject.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FIXTURES = path.join(ROOT, 'src/zygote/node/fixtures');

/** Ways to end, of the repairs' fixtures. */
const ENDS: readonly (readonly [how: string, code: number])[] = [
  ['nothing', 0],
  ['seven', 7],
  ['object', 0],
  ['huge', 255],
  ['throws', 255],
  ['rejects', 255],
  ['exits later', 4],
  ['an exception in a timer', 255],
  ['a rejection that is handled', 9],
  ['never settles', 13],
  ['settles in beforeExit', 11],
  ['open handles', 2],
];

const quick: readonly Job[] = [
  ['Identity', {}, 0],
  ['Random', {}, 0],
  ...ENDS.map(([how, code]): Job => ['End', { how }, code]),
  ...shortOnes.map(({ name }): Job => ['Workload', [name], 0]),
];

/** So many rounds of what is quick to one of these, or they would be all that the time goes to. */
const ROUNDS = 4;
const slow: readonly Job[] = [
  ['End', { how: 'never settles after much garbage' }, 13],
  ['End', { how: 'a worker thread that makes garbage' }, 0],
  ['End', { how: 'much output' }, 0],
];

const jobs = [...Array.from({ length: ROUNDS }, () => quick).flat(), ...slow];

const bootstrap = `
const { jobs: ways } = await import('${FIXTURES}/ways.ts');
const { jobsOf } = await import('${ROOT}/src/zygote/node/fork-safety/index.ts');
const { shortOnes } = await import('${ROOT}/src/zygote/node/fork-safety/short.ts');
export const jobs = { ...ways, ...jobsOf(shortOnes) };
`;

/** @param interpreter null: Rocksy's own */
export function node(interpreter: string | null): Subject {
  return {
    pool: `runtime: node, bootstrap: ./bootstrap.mjs, fork: unproven${interpreter === null ? '' : `, interpreter: ${interpreter}`}`,
    files: { 'bootstrap.mjs': bootstrap },
    jobs,
    garbageMib: MOST_GROWTH_BYTES / 2 ** 20,
    program: 'node',
  };
}
