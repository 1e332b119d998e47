import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { JobChange } from '../../../api/index.ts';
import { type CloudClient, CloudError, connectCloud } from '../../../client/index.ts';
import { ourTerminal, subcommand } from '../../context.ts';
import { formatDuration } from '../../duration.ts';
import { CliError } from '../../exit.ts';
import { tell } from '../../report.ts';
import { harmless, type Style, type Terminal } from '../../terminal.ts';
import { jobFilesAt } from '../job-files.ts';
import { Child } from './child.ts';
import { prepareFolder } from './starter.ts';

const CONNECT_MS = 30_000;

export function up(): Command {
  return subcommand('up', 'Run the cloud and one rocksyd on this machine, with example jobs to begin with', [
    'rocksy up',
    'rocksy up ~/rocksy',
  ])
    .argument('[folder]', 'where configuration, jobs and state are; made where it is missing', './rocksy')
    .addHelpText('after', '\nCtrl-C stops both in good order. Started again, they go on where they were.')
    .action(act);
}

async function act(given: string): Promise<void> {
  const terminal = ourTerminal();
  const folder = resolve(given);
  const { written, note } = prepareFolder(folder);
  if (written.length > 0) terminal.print(`Written in ${short(folder)}: ${written.join(', ')}`);
  if (note !== null) terminal.print(note);
  // What the two are told is what they are called by: through a link to bin/ too.
  const program = realpathSync(process.argv[1] ?? '');
  const [config, daemonConfig] = ['rocksy.yaml', 'rocksyd.yaml'].map((name) => join(folder, name)) as [
    string,
    string,
  ];
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());

  const children: Child[] = [];
  const quit = new AbortController();
  try {
    const server = await Child.start(
      'rocksy server',
      [program, 'server', '--config', config],
      join(folder, 'var/server.log'),
    );
    children.push(server);
    using cloud = connectCloud(`unix:${join(folder, 'var/rocksy.sock')}`);
    const last = (await cloud.call('status', {})).started_ms;
    await invite(cloud, folder);
    const daemon = await Child.start(
      'rocksyd',
      [join(dirname(program), 'rocksyd.cjs'), '--config', daemonConfig],
      join(folder, 'var/rocksyd.log'),
    );
    children.push(daemon);
    const watching = watch(cloud, terminal, quit.signal);
    await connected(cloud, stop.promise);
    show(await apply(cloud, folder, terminal), folder, terminal);
    const ended = Promise.race(children.map((child) => child.ended.then(() => child)));
    const over = await Promise.race([stop.promise, ended]);
    quit.abort();
    await watching;
    if (over !== undefined) throw over.failure();
    terminal.print(
      `\nStopping, after ${formatDuration(Date.now() - last)}. \`rocksy up ${short(folder)}\` goes on where it was.`,
    );
  } finally {
    quit.abort();
    // The host first: what it has to say is taken.
    for (const child of children.toReversed()) await child.stop();
  }
}

/** A host that has joined has its own credential. */
async function invite(cloud: CloudClient, folder: string): Promise<void> {
  const credential = join(folder, 'var/daemon/cloud/credential.json');
  if (existsSync(credential) && readFileSync(credential, 'utf8').includes('"host_id":"')) return;
  const { token } = await cloud.call('inviteHost', { body: {} });
  writeFileSync(join(folder, 'var/join-token'), `${token}\n`, { mode: 0o600 });
}

/** Throws when no host has come for a while. */
async function connected(cloud: CloudClient, stopped: Promise<void>): Promise<void> {
  const late = AbortSignal.timeout(CONNECT_MS);
  void stopped.then(() => undefined);
  for (;;) {
    const { hosts_connected: hosts } = await cloud.call('status', {});
    if (hosts > 0) return;
    if (late.aborted)
      throw new CliError('rocksyd has not connected', {
        hint: 'See rocksyd.log and server.log in the folder var.',
      });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Where the files are no good the cloud goes on with the jobs that it has. */
async function apply(cloud: CloudClient, folder: string, terminal: Terminal): Promise<readonly JobChange[]> {
  const files = await jobFilesAt(short(join(folder, 'jobs')));
  if (files.length === 0) return [];
  try {
    return (await cloud.call('applyJobs', { body: { files: [...files] } })).jobs;
  } catch (error) {
    if (!(error instanceof CloudError) || error.code !== 'invalid_jobs') throw error;
    tell(error, terminal, false);
    return [];
  }
}

function show(jobs: readonly JobChange[], folder: string, terminal: Terminal): void {
  const changed = jobs.filter(({ change }) => change === 'created' || change === 'changed');
  const socket = `unix:${join(folder, 'var/rocksy.sock')}`;
  const [first] = jobs;
  const job = first === undefined ? 'PROJECT/JOB' : `${first.project}/${first.name}`;
  terminal.print(
    `
The cloud and one host are up${changed.length === 0 ? '' : `, and ${changed.length} ${changed.length === 1 ? 'job is' : 'jobs are'} applied`}. In another terminal:

  export ROCKSY_URL=${socket}
${inColumns([
  ['rocksy top', 'what runs, live'],
  ['rocksy jobs', 'when they are due next'],
  [`rocksy trigger -f ${job}`, 'run one now'],
  [`rocksy why ${job}`, 'why it ran, or did not'],
  ['rocksy runs', 'what ran; rocksy logs KEY: what it wrote'],
])}

Change ${short(join(folder, 'jobs'))} and \`rocksy apply -f ${short(join(folder, 'jobs'))}\`. The HTTP API listens where ${short(join(folder, 'rocksy.yaml'))} says.
What ends, as it ends (Ctrl-C stops everything; what runs then gets SIGTERM):
`,
  );
}

function inColumns(commands: readonly (readonly [command: string, what: string])[]): string {
  const width = Math.max(...commands.map(([command]) => command.length));
  return commands.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`).join('\n');
}

const STYLES: Readonly<Record<string, Style>> = { succeeded: 'green', cancelled: 'yellow' };

/** One line for each run that ends. */
async function watch(cloud: CloudClient, terminal: Terminal, signal: AbortSignal): Promise<void> {
  for await (const { kind, data } of cloud.events({ kinds: ['run'] }, { signal })) {
    if (kind !== 'run' || data.state !== 'ended') continue;
    const { outcome, project, job, code, error, started_ms: started, ended_ms: ended, attempt } = data;
    const took =
      typeof started === 'number' && typeof ended === 'number'
        ? ` after ${formatDuration(ended - started)}`
        : '';
    const how = `${String(outcome).replace('_', ' ')}${outcome === 'failed' && code !== null ? ` (${code})` : ''}`;
    const tries = Number(attempt) > 1 ? `, at attempt ${attempt}` : '';
    const time = new Date().toTimeString().slice(0, 8);
    terminal.print(
      `${time}  ${harmless(`${project}/${job ?? data.key}`).padEnd(24)} ${terminal.paint(STYLES[String(outcome)] ?? 'red', how)}${took}${tries}${typeof error === 'string' ? `: ${harmless(error)}` : ''}`,
    );
  }
}

function short(path: string): string {
  const shown = relative(process.cwd(), path);
  return shown.startsWith('../..') || shown === '' ? path : shown.startsWith('..') ? shown : `./${shown}`;
}
