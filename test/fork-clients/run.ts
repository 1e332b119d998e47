// npm run fork-clients [-- NAME…]: every client library of docs/fork-safety.md (or those whose file begins so), each tried.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Trials } from './trial.ts';
import { TRIALS } from './trials.ts';

const RUNS = 24;
const MOST_SHOWN = 3;
const PACKAGES = [
  'postgresql mariadb-server redis-server',
  'php-pgsql php-mysql php-sqlite3 php-redis php-nrk-predis php-curl php-doctrine-dbal php-monolog',
  'python3-psycopg2 python3-psycopg python3-mysqldb python3-django python3-requests python3-redis python3-grpcio',
  'python3-prometheus-client python3-boto3',
].join(' ');

const names = process.argv.slice(2);
const chosen = TRIALS.filter(({ runtime, file }) => {
  if (names.length === 0) return true;
  return names.some((name) => file.startsWith(name) || runtime === name);
});

if (chosen.length === 0) {
  console.error(`there is no such client: ${names.join(' ')}`);
  process.exit(2);
}
const missing = PACKAGES.split(' ').filter((name) => spawnSync('dpkg', ['-s', name]).status !== 0);
if (missing.length > 0) console.error(`some of these may be needed: apt-get install ${missing.join(' ')}`);
if (!fs.existsSync(path.join(import.meta.dirname, 'node_modules'))) {
  spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: import.meta.dirname,
    stdio: 'inherit',
  });
}

await using trials = await Trials.start(chosen, RUNS);
let failed = 0;
for (const trial of chosen) {
  const { wrong, problems } = await trials.run(trial);
  if (problems.length > 0) failed++;
  const mark = problems.length === 0 ? 'ok    ' : 'FAILED';
  console.log(`${mark} ${trial.runtime}/${trial.file}, ${trial.right.join(' and ')}`);
  console.log(`       wrong: ${wrong.replaceAll('\n', '\n              ')}`);
  for (const problem of problems.slice(0, MOST_SHOWN)) console.log(`       ${problem}`);
}
console.log(
  `${chosen.length - failed} of ${chosen.length} as they should be; ${RUNS} runs of each right way`,
);
process.exitCode = failed === 0 ? 0 : 1;
