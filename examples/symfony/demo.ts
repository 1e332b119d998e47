// `node_modules/.bin/node examples/symfony/demo.ts`: rocksyd at work on a small Symfony application, step by step. Needs what scripts/setup.sh installs.

import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from './demo/daemon.ts';
import { connectTo, type Fields, type LineClient } from './demo/line-client.ts';
import { prepareSite, type Site } from './demo/site.ts';
import { coldStarts, firstLine, median, preciseClock } from './demo/timing.ts';

const example = import.meta.dirname;
const root = join(example, '../..');
const executable = join(root, 'bin/rocksyd.cjs');
const measuredRuns = 20;
const keys = `demo-${Date.now()}`;

const site = prepareSite(example);
say(`Rocksy runs a Symfony application. ${site.note}`);

let daemon = await Daemon.start(executable, site.config);
process.once('SIGINT', () => void daemon.stop().finally(() => process.exit(130)));
try {
  let client = await connectTo(site.socket);
  say(`rocksyd ${(await client.request('hello')).version} is up, pid ${daemon.pid}.`);
  await untilPoolServes(client);

  step('A job by fork: import a customer file into SQLite');
  const database = join(site.data, 'customers.sqlite');
  await start(client, 'import', 'Shop\\Job\\ImportCustomers', { database });
  await follow(client, 'import');
  showOutcome(await outcome(client, 'import'));

  step('A job that fails says so');
  await start(client, 'failing', 'Shop\\Job\\Failing');
  showOutcome(await outcome(client, 'failing'));

  step(`Cold start against warm start (from request to first line of run(), median of ${measuredRuns})`);
  await showStarts(client);

  step('A restart of rocksyd in the middle of a run, whose log is followed over the same connection');
  await start(client, 'restarted', 'Shop\\Job\\Sleepy', { seconds: 4 });
  let followed: Promise<void> = Promise.resolve();
  await new Promise<void>((begun, failed) => {
    followed = follow(client, 'restarted', (line) => line.includes('1 of 4 s') && begun());
    followed.catch(failed);
  });
  const { worker_pid: before } = await client.request('stats');
  const { takeover } = await client.request('restart');
  const { worker_pid: after } = await client.request('stats');
  say(
    `  rocksyd is ${daemon.pid} as before, its worker is ${after} instead of ${before}. Whoever asked meanwhile waited ${(takeover as Fields).stall_ms} ms at most.`,
  );
  await followed;
  showOutcome(await outcome(client, 'restarted'));

  step('kill -9 of the daemon in the middle of a run');
  await start(client, 'sleepy', 'Shop\\Job\\Sleepy', { seconds: 4 });
  const { worker_pid: worker } = await client.request('stats');
  await followUntil(client, 'sleepy', '1 of 4 s');
  const { pid: script } = await status(client, 'sleepy');
  await daemon.crash(Number(worker));
  say(
    `  rocksyd (${daemon.pid}) and its worker (${worker}) are dead. The script (${script}) is ${alive(Number(script)) ? 'at work' : 'dead too'}.`,
  );
  while (alive(Number(script))) await sleep(50);
  say('  The script has ended, and no daemon was there to see it. Starting rocksyd again:');

  daemon = await Daemon.start(executable, site.config);
  client = await connectTo(site.socket);
  await follow(client, 'sleepy');
  showOutcome(await outcome(client, 'sleepy'));
  client.close();
} finally {
  const code = await daemon.stop();
  say(`\nrocksyd has stopped (exit code ${code}).`);
}
sayWhatNext(site);

/** A run that is asked for while the bootstrap fails again and again would wait in the queue, and we with it. */
async function untilPoolServes(client: LineClient): Promise<void> {
  for (;;) {
    const { pools } = await client.request('pools');
    const { state, problem } = (pools as Fields[]).find(({ name }) => name === 'web') ?? {};
    if (state === 'serving') return;
    if (state === 'unavailable') {
      throw new Error(`The pool web does not start: ${problem}. See the logs in ${site.bootLogs}`);
    }
    await sleep(50);
  }
}

async function start(
  client: LineClient,
  name: string,
  className: string,
  params: Fields = {},
): Promise<void> {
  say(`  run ${className} ${JSON.stringify(params)}`);
  await client.request('run', { key: `${keys}-${name}`, pool: 'web', class: className, params });
}

/** Prints the run's log line by line, from its first byte until the run has ended. */
async function follow(
  client: LineClient,
  name: string,
  onLine: (line: string) => void = () => {},
): Promise<void> {
  let rest = '';
  await client.request('logs', { key: `${keys}-${name}`, offset: 0, follow: true }, (push) => {
    const lines = (rest + push.data).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      say(`  | ${line}`);
      onLine(line);
    }
  });
}

async function followUntil(client: LineClient, name: string, text: string): Promise<void> {
  await new Promise<void>((found, failed) => {
    // The rejection that comes when the daemon is killed is nobody's business any more.
    follow(client, name, (line) => line.includes(text) && found()).catch(failed);
  });
}

/** The run as it stands once it has ended. */
async function outcome(client: LineClient, name: string): Promise<Fields> {
  const { run } = await client.request('wait', { key: `${keys}-${name}`, timeout_ms: 30_000 });
  return run as Fields;
}

async function status(client: LineClient, name: string): Promise<Fields> {
  const { run } = await client.request('status', { key: `${keys}-${name}` });
  return run as Fields;
}

function showOutcome(run: Fields): void {
  const why = run.error === null ? JSON.stringify(run.result) : run.error;
  say(`  → ${run.outcome}, exit code ${run.retcode}: ${why}`);
}

async function showStarts(client: LineClient): Promise<void> {
  const php = [join(example, 'cold.php'), 'Shop\\Job\\FirstLine'];
  const fileCache = [
    'opcache.enable_cli=1',
    'opcache.file_cache_only=1',
    `opcache.file_cache=${site.coldCache}`,
  ];
  const withFileCache = [...fileCache.flatMap((setting) => ['-d', setting]), ...php];
  coldStarts(1, php, site.coldCache); // fills the caches
  coldStarts(1, withFileCache, site.coldCache);

  const rows: [name: string, ms: number][] = [
    ['cold: php, bootstrap, run', median(coldStarts(measuredRuns, php, site.coldCache))],
    ["cold, with opcache's file cache", median(coldStarts(measuredRuns, withFileCache, site.coldCache))],
    ['warm: Rocksy, pool with prefork: 2', median(await warmStarts(client, measuredRuns))],
  ];
  const warm = rows.at(-1)?.[1] ?? Number.NaN;
  for (const [name, ms] of rows) {
    say(`  ${name.padEnd(36)}${ms.toFixed(2).padStart(8)} ms${`${(ms / warm).toFixed(0)} ×`.padStart(8)}`);
  }
}

async function warmStarts(client: LineClient, count: number): Promise<number[]> {
  const clock = preciseClock();
  const times: number[] = [];
  for (let number = 0; number < count; number++) {
    const key = `${keys}-warm-${number}`;
    const asked = clock();
    await client.request('run', { key, pool: 'web', class: 'Shop\\Job\\FirstLine', params: {} });
    const { run } = await client.request('wait', { key, timeout_ms: 30_000 });
    times.push(firstLine((run as Fields).result) - asked);
  }
  return times;
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function sayWhatNext({ config, socket, data }: Site): void {
  const below = (path: string) => relative(process.cwd(), path);
  say(`
What to try next:
  ${below(executable)} --config ${below(config)}
  and in a second terminal
  export ROCKSY_SOCKET=${socket}
  ${below(join(root, 'bin/rocksy.cjs'))} run --follow 'Shop\\Job\\RenderReport'
  ${below(join(root, 'bin/rocksy.cjs'))} run --follow 'Shop\\Job\\ConsoleJob' '{"command": "shop:price-list", "input": {"net": [1, 2.5]}}'
  ${below(join(root, 'bin/rocksy.cjs'))} run --follow --pool os -- ls -l /
  ${below(join(root, 'bin/rocksy.cjs'))} ps
The jobs are in ${below(join(example, 'src/Job'))}, what the import wrote in ${below(data)}.`);
}

function step(title: string): void {
  say(`\n${title}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
