// Makes the folder that `npm start` gives to `rocksy up`: the cloud, one host with a warm Symfony, Django and NestJS, jobs on
// schedules.
//   node_modules/.bin/node examples/up/prepare.ts [--folder examples/up/site] [--port 31380]
// What is there is left alone: delete the folder to begin anew.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { prepareSite } from '../symfony/demo/site.ts';

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: join(import.meta.dirname, 'site') },
    port: { type: 'string', default: '31380' },
  },
});
const folder = resolve(values.folder);

interface Pool {
  readonly user?: string;
  bootstrap?: string;
}

const examples = resolve(import.meta.dirname, '..');
// The same pools as the demo's, with the same user, caches and data: examples/symfony/var.
const symfony = prepareSite(join(examples, 'symfony'));
// Its packages come from npm: where they can't be had, the others work all the same (scripts/start.sh).
const hasNest = existsSync(join(examples, 'nest/dist/bootstrap.js'));

// Jobs of pools that an older folder does not have would never run.
const isNew = !existsSync(join(folder, 'rocksyd.yaml'));
mkdirSync(join(folder, 'jobs'), { recursive: true });
write('rocksy.yaml', serverConfig(values.port));
write('rocksyd.yaml', daemonConfig(values.port, pools()));
write('jobs/shop.yaml', shopJobs(join(symfony.data, 'customers.sqlite')));
if (isNew) write('jobs/newsletter.yaml', readFileSync(join(examples, 'django/jobs.yaml'), 'utf8'));
if (isNew && hasNest) write('jobs/billing.yaml', readFileSync(join(examples, 'nest/jobs.yaml'), 'utf8'));
process.stdout.write(`Small applications of ${hasNest ? 'Symfony, Django and NestJS' : 'Symfony and Django'}, warm, on schedules. ${symfony.note}
\`rocksy\` below is bin/rocksy.cjs: alias rocksy=${resolve(import.meta.dirname, '../../bin/rocksy.cjs')}
`);

function write(name: string, text: string): void {
  const file = join(folder, name);
  if (!existsSync(file)) writeFileSync(file, text);
}

function serverConfig(port: string): string {
  return [
    '# rocksy server: every key is in docs/server.md. Paths are relative to this file.',
    `listen: [unix:./var/rocksy.sock, tcp://127.0.0.1:${port}]`,
    'state: ./var/cloud',
    '',
  ].join('\n');
}

function daemonConfig(port: string, pools: string): string {
  return [
    '# rocksyd: every key is in docs/configuration.md. Paths are relative to this file.',
    'listen: [unix:./var/rocksyd.sock]',
    'state: ./var/daemon',
    'default_pool: web',
    pools.trimEnd(),
    'join:',
    `  url: http://127.0.0.1:${port}`,
    '  token_file: ./var/join-token',
    '',
  ].join('\n');
}

/** Symfony's as its own configuration has them; the others run as the same user. */
function pools(): string {
  const { pools } = parse(readFileSync(symfony.config, 'utf8')) as { pools: Record<string, Pool> };
  for (const pool of Object.values(pools)) {
    if (pool.bootstrap !== undefined) pool.bootstrap = resolve(dirname(symfony.config), pool.bootstrap);
  }
  const user = pools.web?.user;
  const others = {
    news: {
      runtime: 'python',
      interpreter: '/usr/bin/python3', // Debian's, which has Debian's Django
      bootstrap: join(examples, 'django/bootstrap.py'),
      jobs: join(examples, 'django/jobs'),
      env: { NEWSLETTER_DATABASE: join(symfony.data, 'newsletter.sqlite') },
      ...(user && { user }),
    },
    ...(hasNest && {
      billing: {
        runtime: 'node',
        bootstrap: join(examples, 'nest/dist/bootstrap.js'),
        prefork: 2,
        env: { BILLING_DATABASE: join(symfony.data, 'billing.sqlite') },
        ...(user && { user }),
      },
    }),
  };
  return stringify({ pools: { ...pools, ...others } });
}

function shopJobs(database: string): string {
  return `# Every key is in docs/jobs.md. After a change: rocksy apply -f jobs
project: shop
defaults: { pool: web, timezone: Europe/Berlin }
jobs:
  import:
    description: reads 400 customers into SQLite, twice a minute; then the report
    class: Shop\\Job\\ImportCustomers
    params: [{ database: ${JSON.stringify(database)} }]
    schedule: { every: 30s }
    on_success: [report]
  report:
    description: renders the report's pages through Symfony's kernel; has no schedule of its own
    class: Shop\\Job\\RenderReport
  prices:
    description: a command of Symfony's console, on weekdays from 8 to 18
    class: Shop\\Job\\ConsoleJob
    params: [{ command: "shop:price-list", input: { net: [1, 2.5], "--vat": 7 } }]
    schedule: "* 8-17 * * 1-5"
  warehouse:
    description: fails, is tried again twice, and fails for good
    class: Shop\\Job\\Failing
    schedule: { every: 2m }
    retry: { failure: { max: 2, backoff: 5s } }
  nightly:
    description: takes five seconds, at night; try it with rocksy trigger -f shop/nightly
    class: Shop\\Job\\Sleepy
    params: [{ seconds: 5 }]
    schedule: "30 2 * * *"
    timeout: 1m
  disk:
    description: a plain command, a fresh process each time
    pool: os
    argv: [df, -h, /]
    schedule: "* * * * *"
`;
}
