import path from 'node:path';
import type { Job, Subject } from './subject.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Classes of the contract suite's fixtures. */
const jobs: readonly Job[] = [
  ['Hello', {}, 0],
  ['Give', { what: 'array' }, 0],
  ['Give', { what: 'huge' }, 255],
  ['ExitWith', { code: 7 }, 7],
  ['Leaving', { code: 3 }, 3],
  ['Destructors', {}, 0],
  ['Random', {}, 0],
  ['Lazy', {}, 0],
  ['Progress', {}, 0],
  ['Fail', { how: 'exception' }, 255],
  ['Fail', { how: 'fatal' }, 255],
  ['Fail', { how: 'memory' }, 255],
  ['Fail', { how: 'destructor' }, 255],
  ['Fail', { how: 'buffer' }, 255],
  ['ForksAndReturns', {}, 0],
];

const bootstrap = `<?php
require '${ROOT}/examples/symfony/bootstrap.php';
require '${ROOT}/src/zygote/php/fixtures/jobs.php';
`;

export const php: Subject = {
  pool: 'runtime: php, bootstrap: ./bootstrap.php, env: { SHOP_CACHE: ./scratch }',
  files: { 'bootstrap.php': bootstrap },
  jobs,
  garbageMib: 0,
  program: 'php',
};
