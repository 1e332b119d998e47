import type { Command } from 'commander';
import type { Store, StoreOptions } from '../../cloud/store/index.ts';
import { ourTerminal, subcommand } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { properties, table } from '../table.ts';
import { harmless, type Terminal } from '../terminal.ts';

interface Options {
  readonly store?: string;
  readonly live?: true;
  /** Of all commands. */
  readonly json?: true;
}

type Act = (store: Store, terminal: Terminal, options: Options, ...operands: string[]) => Promise<void>;

export function store(): Command {
  const command = subcommand('store', 'Set up, look at, copy and back up the store of the cloud', [
    'rocksy store migrate --store sqlite:/var/lib/rocksy/store.db',
    'rocksy store status',
    'rocksy store backup /backup/store.db',
    "rocksy store copy --store sqlite:/var/lib/rocksy/store.db 'postgres://rocksy@db.internal/rocksy'",
  ]).addHelpText(
    'after',
    `
The store is named by --store or ROCKSY_STORE: sqlite:FILE, or postgres://USER@HOST/DATABASE, as \`store\` of rocksy.yaml.
Arguments are for everybody on this machine to see. So leave the password out of the address: it is taken from
PGPASSWORD or from the file PGPASSFILE (else ~/.pgpass). The cloud need not run; docs/store.md says when it must not.`,
  );
  withStore(command.command('migrate'), 'migrate', migrate).description(
    'set it up, or bring it up to this release',
  );
  withStore(command.command('status'), 'any', status).description('tell where it stands');
  withStore(command.command('copy'), 'check', copy)
    .description('copy all of it into another, empty one')
    .argument('<target>', 'sqlite:FILE or postgres://…, without rows; it is set up where it is not')
    .option('--live', 'although a server works with it: what it writes meanwhile is not in the copy');
  withStore(command.command('backup'), 'any', backup)
    .description('write it to a file while others use it (SQLite)')
    .argument('<file>', 'where to; a file that is there is replaced when the backup is whole');
  return command;
}

/** Gives a command the option --store and opens what that says. */
function withStore(command: Command, schema: StoreOptions['schema'], act: Act): Command {
  return command
    .option('--store <url>', 'sqlite:FILE or postgres://… (default: ROCKSY_STORE)')
    .action(async function action(this: Command) {
      const options = this.optsWithGlobals<Options>();
      const url = options.store ?? process.env.ROCKSY_STORE ?? '';
      if (url === '')
        throw new CliError('No store is named', {
          exitCode: EXIT.usage,
          hint: 'Say which: --store sqlite:FILE, --store postgres://…, or ROCKSY_STORE.',
        });
      await explained(async () => {
        await using opened = await open(url, schema);
        await act(opened, ourTerminal(), options, ...this.args);
      });
    });
}

async function open(url: string, schema: StoreOptions['schema']): Promise<Store> {
  // It brings the database drivers, which the other commands do without.
  const { openStore } = await import('../../cloud/store/index.ts');
  // A connection that is lost while idle is noticed by the next query.
  return await openStore(url, { schema, onIdleError: () => undefined });
}

/** What a store refuses, in the way of all commands. */
async function explained(work: () => Promise<void>): Promise<void> {
  const { StoreError } = await import('../../cloud/store/index.ts');
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new CliError(error.message, error.hint === undefined ? {} : { hint: sentence(error.hint) });
  }
}

function sentence(hint: string): string {
  return `${hint.charAt(0).toUpperCase()}${hint.slice(1)}${/[.?!]$/.test(hint) ? '' : '.'}`;
}

async function migrate(opened: Store, terminal: Terminal, { json }: Options): Promise<void> {
  const applied = await opened.migrate();
  if (json) terminal.json({ place: opened.place, applied });
  else if (applied.length === 0) terminal.print(`${harmless(opened.place)} is up to date`);
  else for (const name of applied) terminal.print(`applied ${name}`);
}

async function status(opened: Store, terminal: Terminal, { json }: Options): Promise<void> {
  const migrations = await opened.migrations();
  const isCurrent = migrations.every(({ appliedMs, known }) => appliedMs !== null && known);
  const leader = isCurrent ? ((await opened.leases.held())[0]?.holder ?? null) : null;
  if (json) terminal.json({ place: opened.place, current: isCurrent, leader, migrations });
  else {
    terminal.print(
      properties([
        ['store', harmless(opened.place)],
        ['schema', isCurrent ? 'of this release' : 'NOT of this release'],
        ['leader', harmless(leader ?? 'none: no server works with it')],
      ]),
    );
    const rows = migrations.map(({ name, appliedMs, known }) => [
      name,
      appliedMs === null ? 'missing' : new Date(appliedMs).toISOString(),
      known ? '' : 'of a later release',
    ]);
    terminal.print(`\n${table(['MIGRATION', 'APPLIED', ''], rows)}`);
  }
  if (!isCurrent) {
    if (!json) terminal.note(remedyOf(migrations.some(({ known }) => !known)));
    process.exitCode = EXIT.error;
  }
}

function remedyOf(isNewer: boolean): string {
  return isNewer ? 'Install that release or a later one here.' : 'Run `rocksy store migrate`.';
}

async function copy(
  opened: Store,
  terminal: Terminal,
  { json, live }: Options,
  target: string = '',
): Promise<void> {
  const [leader] = await opened.leases.held();
  if (leader !== undefined && live !== true)
    throw new CliError(`${leader.holder} works with ${opened.place}`, {
      hint: 'Stop it first (after a crash wait some seconds), or copy with --live, without what it writes meanwhile.',
    });
  await using other = await open(target, 'create');
  const tables = await opened.copyTo(other, ({ table: name, rows }) => {
    if (!json) terminal.print(`${name}: ${rows}`);
  });
  if (json) terminal.json({ from: opened.place, to: other.place, tables });
  else terminal.note(`${harmless(opened.place)} is copied to ${harmless(other.place)}, and counted there.`);
}

async function backup(
  opened: Store,
  terminal: Terminal,
  { json }: Options,
  file: string = '',
): Promise<void> {
  await opened.backup(file);
  if (json) terminal.json({ from: opened.place, file });
  else terminal.print(harmless(file));
}
