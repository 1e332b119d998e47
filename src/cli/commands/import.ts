import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { Argument, type Command, InvalidArgumentError } from 'commander';
import type { Imported, ImportedLine, JobNames } from '../../cloud/import/index.ts';
import { ourTerminal, subcommand } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { timezone } from '../values.ts';

const FORMATS = ['crontab', 'cronicle', 'cronjob'] as const;
type Format = (typeof FORMATS)[number];

interface Options {
  readonly project: string;
  readonly pool: string;
  readonly timezone?: string;
  readonly users?: true;
  readonly output?: string;
  readonly force?: true;
  readonly shadow?: true;
  /** Of all commands. */
  readonly json?: true;
}

/** One file that was read, and what was made of it. */
interface Moved {
  readonly file: string;
  readonly imported: Imported;
  readonly yaml: string;
  /** Where it is written to; null: to stdout. */
  readonly output: string | null;
}

const STDIO = '-';
/** Those of the system have a user in each line: crontab(5), cron(8). */
const OF_SYSTEM = /\/etc\/(?:crontab|cron\.d\/[^/]+)$/;

// `import` itself is a word of the language.
export function importJobs(): Command {
  return subcommand('import', 'Make job files of crontabs, of a Cronicle, or of Kubernetes’ CronJobs', [
    'rocksy import crontab /etc/crontab',
    'crontab -l | rocksy import crontab - --pool www --output jobs --shadow',
    'rocksy import cronicle cronicle-data-backup.txt --project shop --output jobs',
    'kubectl get cronjobs -o yaml | rocksy import cronjob - --pool os',
  ])
    .addArgument(new Argument('<format>', 'what the files are').choices(FORMATS))
    .argument('<file...>', 'files to read; - is our standard input')
    .option('--project <name>', 'the project of the jobs', name, 'default')
    .option('-p, --pool <pool>', 'the pool of jobs whose file names no user', name, 'os')
    .option('--timezone <zone>', 'of jobs that name none (default: that of this machine)', timezone)
    .option('--users', 'crontab: the sixth field is a user (default: in /etc/crontab and /etc/cron.d)')
    .option('-o, --output <folder>', 'write FILE.yaml there (default: print it)')
    .option('--force', 'write over files that are there')
    .option('--shadow', 'the jobs are scheduled and recorded, and not run')
    .addHelpText(
      'after',
      `
What became of each line is told on stderr. Nothing is started, and no daemon is asked. Exit code: 1 when a line could
not be converted; what could be is written all the same.`,
    )
    .action(async function action(this: Command, format: Format, files: string[]) {
      await act(ourTerminal(), format, files, this.optsWithGlobals<Options>());
    });
}

async function act(terminal: Terminal, format: Format, files: string[], options: Options): Promise<void> {
  if (options.users && format !== 'crontab')
    throw new CliError('--users belongs to crontab', { exitCode: EXIT.usage });
  const moved = await moveAll(format, files, options);
  await writeAll(moved, options);
  if (options.json) terminal.json(moved.map(asJson));
  else {
    await printAll(terminal, moved);
    for (const each of moved) tell(terminal, each);
  }
  if (moved.some(({ imported }) => imported.lines.some(({ became }) => became === 'impossible')))
    process.exitCode = EXIT.error;
}

async function moveAll(format: Format, files: readonly string[], options: Options): Promise<Moved[]> {
  const folder = options.output === STDIO ? undefined : options.output;
  const outputs = files.map((file) => (folder === undefined ? null : join(folder, outputName(file))));
  const twice = outputs.find((output, i) => output !== null && outputs.indexOf(output) < i);
  if (twice !== undefined)
    throw new CliError(`Two of the files would be written to ${twice}`, {
      exitCode: EXIT.usage,
      hint: 'Import them one after the other, each with its own --output.',
    });
  // It brings the scheduler and the schemas of the cloud, which the other commands do without.
  const { JobNames, renderJobs } = await import('../../cloud/import/index.ts');
  const names = new JobNames();
  const moved: Moved[] = [];
  for (const [i, file] of files.entries()) {
    const imported = await importOne(format, file, await read(file), names, options);
    const yaml = renderJobs(options.project, imported, { shadow: options.shadow ?? false });
    moved.push({ file, imported, yaml, output: outputs[i] ?? null });
  }
  return moved;
}

async function importOne(
  format: Format,
  file: string,
  content: string,
  names: JobNames,
  { pool, timezone: zone = ourZone(), users }: Options,
): Promise<Imported> {
  const { importCronicle, importCronJobs, importCrontab } = await import('../../cloud/import/index.ts');
  const options = { pool, timezone: zone };
  switch (format) {
    case 'crontab':
      return importCrontab(content, { ...options, withUsers: users ?? OF_SYSTEM.test(resolve(file)) }, names);
    case 'cronicle':
      return importCronicle(content, options, names);
    case 'cronjob':
      return importCronJobs(content, options, names);
  }
}

async function read(file: string): Promise<string> {
  try {
    return file === STDIO ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new CliError(`${file} can't be read: ${(error as Error).message}`);
  }
}

/** `/var/spool/cron/crontabs/www-data` becomes `www-data.yaml`, and `backup.txt` `backup.yaml`. */
function outputName(file: string): string {
  const base = file === STDIO ? 'jobs' : basename(file).replace(/\.(?:ya?ml|json|txt)$/, '');
  return `${base}.yaml`;
}

/** All or, where one is there already, none. */
async function writeAll(moved: readonly Moved[], { force, output }: Options): Promise<void> {
  const files = moved.flatMap((each) =>
    each.output === null ? [] : [{ path: each.output, yaml: each.yaml }],
  );
  for (const { path } of files) {
    if (!force && (await exists(path)))
      throw new CliError(`${path} is there already`, {
        hint: '--force writes over it. Nothing was written.',
      });
  }
  try {
    if (files.length > 0 && output !== undefined) await mkdir(output, { recursive: true });
    for (const { path, yaml } of files) await writeFile(path, yaml, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    throw new CliError(`The job files can't be written: ${(error as Error).message}`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

async function printAll(terminal: Terminal, moved: readonly Moved[]): Promise<void> {
  const printed = moved.filter(({ output }) => output === null);
  await terminal.pass(printed.map(({ yaml }) => yaml).join('---\n'));
}

function asJson({ file, output, imported: { jobs, lines, pools } }: Moved): object {
  return { file, output, jobs, pools: [...pools].map(([pool, user]) => ({ pool, user })), lines };
}

function tell(terminal: Terminal, { file, output, imported }: Moved): void {
  const source = harmless(file === STDIO ? 'stdin' : file);
  const counts = { jobs: 0, impossible: 0 };
  for (const line of imported.lines) {
    if (line.became === 'job') counts.jobs++;
    if (line.became === 'impossible') counts.impossible++;
    for (const said of saidOf(terminal, line)) terminal.note(`${source}:${line.line}: ${said}`);
  }
  for (const [pool, user] of imported.pools)
    terminal.note(
      `${source}: needs the pool ${pool}${user === null ? '' : `, of the user ${harmless(user)}`}`,
    );
  const failed = counts.impossible === 0 ? '' : `, ${counts.impossible} not converted`;
  const written = output === null ? '' : `: ${harmless(output)}`;
  terminal.note(
    terminal.paintNote(
      'bold',
      `${source}: ${counts.jobs === 1 ? '1 job' : `${counts.jobs} jobs`}${failed}${written}`,
    ),
  );
}

/** Comments and the like need no words. */
function saidOf(terminal: Terminal, { text: source, became, job, remarks }: ImportedLine): string[] {
  const said = remarks.map(harmless);
  switch (became) {
    case 'job':
      return [`job ${job}`, ...said.map((remark) => `  ${remark}`)];
    case 'setting':
      return [`${harmless(shortly(source))}: a setting`, ...said.map((remark) => `  ${remark}`)];
    case 'ignored':
      return said.map((remark) => `${harmless(shortly(source))}: passed over: ${remark}`);
    case 'impossible':
      return [
        `${terminal.paintNote('red', 'not converted')}: ${said.join('; ')}`,
        ...(source === '' ? [] : [`  ${harmless(shortly(source))}`]),
      ];
  }
}

const SHOWN = 100;

function shortly(whole: string): string {
  const line = whole.trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

function name(written: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(written))
    throw new InvalidArgumentError('Expected a name of letters, digits, . _ - (at most 100).');
  return written;
}

function ourZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}
