import fs from 'node:fs';
import { flushCompileCache } from 'node:module';
import path from 'node:path';
import { Command } from 'commander';
import type { Logger } from 'pino';
import { DocumentError } from '../document/index.ts';
import { createLog, exitAfterFlush } from '../log/index.ts';
import {
  connectToKeeper,
  isUnderKeeper,
  type KeeperChannel,
  KeeperError,
  ListenError,
  nodeBeside,
  runKeeper,
  standardError,
} from '../takeover/index.ts';
import { RocksyError } from '../wire/index.ts';
import { type Config, loadConfig } from './config/index.ts';
import { type Loaded, loadLastGood, loadPresent, noteGood } from './last-good.ts';
import { listenersOf, Worker } from './worker.ts';

const WAIT_FOR_PREDECESSOR_MS = 5_000;
const READY_TIMEOUT_MS = 60_000;
/** After a start, until the compile cache is written. */
const SETTLED_MS = 1_000;
/** Beyond `stop_grace`: for zygotes, connections and the journal to end. */
const STOP_MARGIN_MS = 30_000;
/**
 * Much is made here and little lives: a larger nursery only holds more garbage (docs/benchmarks.md, scale: -50 MiB).
 * A successor collects its garbage at a time of its own choice.
 */
const WORKER_FLAGS = ['--max-semi-space-size=2', '--expose-gc'];

const { version } = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

interface Options {
  readonly config: string;
  readonly check?: true;
  readonly watch?: true;
}

/** The command `rocksyd`. The process that is started is the keeper; it starts this same program again as its worker. */
export async function main(argv: readonly string[]): Promise<void> {
  const command = new Command('rocksyd')
    .description('Runs script classes and commands, warm, and tells truthfully how they ended.')
    .option('-c, --config <file>', 'the configuration', 'rocksyd.yaml')
    .option('--check', 'only check the configuration')
    .option('--watch', 'for developers: load code and configuration anew as their files change')
    .version(`rocksyd ${version}`, '-V, --version')
    .helpOption('-h, --help')
    .allowExcessArguments(false)
    .addHelpText(
      'after',
      '\nSignals: SIGTERM, SIGINT stop; SIGHUP, SIGUSR2 restart without losing a connection. The reference is docs/configuration.md.',
    );
  command.parse(argv, { from: 'user' });
  const options = command.opts<Options>();
  if (isUnderKeeper()) {
    await work(options);
    return;
  }
  const config = load(options.config);
  if (config === null) return;
  if (options.check === true) process.stdout.write(`${config.path}: correct\n`);
  else if (options.watch === true && process.env.NOTIFY_SOCKET !== undefined) refuseWatch();
  else await keep(config, argv, readersOf(options));
}

/** A deployment is many changes of files, and a service would load the first of them without the rest. */
function refuseWatch(): void {
  process.stderr.write(
    'rocksyd: --watch is for developers, and this is a service of systemd: take it out, and let `rocksy reload` end a deployment\n',
  );
  process.exitCode = 2;
}

/** A developer reads what is said, also through a pipe. */
function readersOf({ watch }: Options): 'people' | 'whoever_is_there' {
  return watch === true ? 'people' : 'whoever_is_there';
}

function load(file: string): Config | null {
  try {
    return loadConfig(file);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    process.stderr.write(`${error.format()}\n`);
    process.exitCode = 2;
    return null;
  }
}

async function keep(
  config: Config,
  argv: readonly string[],
  readers: ReturnType<typeof readersOf>,
): Promise<void> {
  const log = createLog(config.log.level, 'keeper', 2, readers);
  for (const warning of config.warnings) log.warn(warning);
  try {
    // Others may pass through to their pool's folder, and list nothing.
    makeFolder(path.join(config.state, 'pools'));
    process.exitCode = await runKeeper({
      listeners: listenersOf(config),
      lockDir: config.state,
      waitMs: WAIT_FOR_PREDECESSOR_MS,
      entry: process.argv[1] ?? '',
      execPath: nodeBeside,
      execArgv: [...WORKER_FLAGS, ...process.execArgv],
      args: [...argv],
      env: process.env,
      log: (level, message, fields) => log[level](fields, message),
      backoff: { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 },
      readyTimeoutMs: READY_TIMEOUT_MS,
      takeoverTimeoutMs: config.takeoverTimeoutMs,
      stopTimeoutMs: config.stopGraceMs + STOP_MARGIN_MS,
    });
  } catch (error) {
    const hint = error instanceof KeeperError ? ` (${error.hint})` : '';
    process.stderr.write(`rocksyd: ${(error as Error).message}${hint}\n`);
    process.exitCode = 1;
  }
}

/** One by one: mkdirSync's `recursive` says ENOENT of a file system that is read-only. */
function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  makeFolder(path.dirname(folder));
  try {
    fs.mkdirSync(folder, { mode: 0o711 });
  } catch (error) {
    // Another start was faster; if a file stands there, the next step says so.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function work(options: Options): Promise<void> {
  const output = standardError();
  const keeper = connectToKeeper();
  try {
    const loaded = await settle(options.config, keeper, output);
    const { config } = loaded;
    const log = createLog(config.log.level, 'worker', output, readersOf(options));
    process.on('unhandledRejection', (error) => {
      log.fatal({ err: error }, 'a defect: a promise was rejected and nobody listened');
      exitAfterFlush(log, 1);
    });
    await Worker.start(config, version, log, keeper, options.watch === true ? 'on_change' : 'when_asked');
    noteServing(loaded, keeper, log);
    // Node writes the cache when a process ends, and one that is replaced ends at once. It takes a while, and can wait
    // until those are served who waited for this worker.
    setTimeout(flushCompileCache, SETTLED_MS).unref();
  } catch (error) {
    // For people: who asks for a restart is shown it as it is. What nobody expected is a defect, and says where it lies.
    const line = expected(error);
    if (line === null) throw error;
    process.stderr.write(`${line}\n`);
    process.exit(error instanceof DocumentError ? 2 : 1);
  }
}

function noteServing(loaded: Loaded, keeper: KeeperChannel, log: Logger): void {
  try {
    noteGood(loaded, keeper);
  } catch (problem) {
    // The disk is full, perhaps. It serves all the same.
    log.warn({ err: problem }, 'this configuration could not be noted as one that serves');
  }
}

/** The configuration to work by, its listeners open: the one in the file, or after a crash the last one that served. */
async function settle(file: string, keeper: KeeperChannel, output: number): Promise<Loaded> {
  try {
    const loaded = loadPresent(file, keeper);
    await keeper.wantListeners(listenersOf(loaded.config));
    return loaded;
  } catch (error) {
    const line = expected(error);
    const last = keeper.isSuccessor || line === null ? null : loadLastGood(file, keeper);
    if (last === null) throw error;
    const log = createLog(last.config.log.level, 'worker', output);
    log.error(
      { problem: line },
      'the configuration is no good: this worker goes on by the last one that served',
    );
    await keeper.wantListeners(listenersOf(last.config));
    return last;
  }
}

/** What may well happen, said for people; null: a defect. */
function expected(error: unknown): string | null {
  if (error instanceof DocumentError) return error.format();
  if (error instanceof ListenError) return `rocksyd: ${error.message}`;
  return error instanceof RocksyError ? `rocksyd: ${errorLine(error)}` : null;
}

function errorLine({ message, hint }: RocksyError): string {
  return hint === undefined ? message : `${message} (${hint})`;
}
