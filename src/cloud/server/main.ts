import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { DocumentError } from '../../document/index.ts';
import { createLog, exitAfterFlush } from '../../log/index.ts';
import {
  connectToKeeper,
  isUnderKeeper,
  type KeeperChannel,
  KeeperError,
  ListenError,
  nodeBeside,
  runKeeper,
  standardError,
} from '../../takeover/index.ts';
import { type Store, StoreError } from '../store/index.ts';
import { loadServerConfig, type ServerConfig } from './config.ts';
import { type Loaded, loadLastGood, loadPresent, noteGood } from './last-good.ts';
import { Restart } from './restart.ts';
import { CloudServer, open } from './server.ts';

const BACKLOG = 4_096;
const WAIT_FOR_PREDECESSOR_MS = 5_000;
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;
const TAKEOVER_TIMEOUT_MS = 60_000;
/** Much is made here and little lives: a larger nursery only holds more garbage. For gc see server.ts. */
export const WORKER_FLAGS = ['--max-semi-space-size=2', '--expose-gc'];

/** `rocksy server`: the process that is started is the keeper; it starts this same program again as its worker. */
export async function runServer(file: string, args: readonly string[]): Promise<void> {
  if (isUnderKeeper()) await work(file);
  else await keep(file, args);
}

/** Throws a DocumentError. */
export function checkServerConfig(file: string): string {
  return loadServerConfig(file, process.env).path;
}

async function keep(file: string, args: readonly string[]): Promise<void> {
  const config = loadServerConfig(file, process.env);
  const log = createLog(config.log.level, 'keeper', 2);
  try {
    makeFolder(config.state, 0o700);
    process.exitCode = await runKeeper({
      listeners: listenersOf(config),
      lockDir: config.state,
      waitMs: WAIT_FOR_PREDECESSOR_MS,
      entry: process.argv[1] ?? '',
      execPath: nodeBeside,
      execArgv: [...WORKER_FLAGS, ...process.execArgv],
      args: [...args],
      env: process.env,
      log: (level, message, fields) => log[level](fields, message),
      backoff: { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 },
      readyTimeoutMs: READY_TIMEOUT_MS,
      takeoverTimeoutMs: TAKEOVER_TIMEOUT_MS,
      stopTimeoutMs: STOP_TIMEOUT_MS,
    });
  } catch (error) {
    const hint = error instanceof KeeperError ? ` (${error.hint})` : '';
    process.stderr.write(`rocksy server: ${(error as Error).message}${hint}\n`);
    process.exitCode = 1;
  }
}

/** The folders above it others may pass through: a rocksyd beside it may keep its own there. */
function makeFolder(folder: string, mode: number): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder), 0o711);
  mkdirSync(folder, { mode });
}

async function work(file: string): Promise<void> {
  const keeper = connectToKeeper();
  try {
    const { log, loaded, store } = await prepare(file, keeper);
    process.on('unhandledRejection', (err) => {
      log.fatal({ err }, 'a defect: a promise was rejected and nobody listened');
      exitAfterFlush(log, 1);
    });
    await serve(loaded.config, store, log, keeper);
    noteServing(loaded, keeper, log);
  } catch (error) {
    const line = expected(error);
    if (line === null) throw error;
    process.stderr.write(`rocksy server: ${line}\n`);
    process.exit(1);
  }
}

interface Prepared {
  readonly loaded: Loaded;
  readonly log: Logger;
  /** Open already: a predecessor goes on serving where it can't be opened. */
  readonly store: Store;
}

/** By the file as it is; after a crash, where that is no good, by what served last. */
async function prepare(file: string, keeper: KeeperChannel): Promise<Prepared> {
  let present: Loaded | null = null;
  try {
    present = loadPresent(file, keeper);
    return await prepared(present, keeper);
  } catch (error) {
    const problem = expected(error);
    const found = keeper.isSuccessor || problem === null ? null : await preparedByLast(file, keeper, present);
    if (found === null) throw error;
    found.log.error(
      { problem },
      'the configuration is no good: this worker goes on by the last one that served',
    );
    return found;
  }
}

/** Null: there is none, or it is no better. Then what is wrong with the file as it is matters. */
async function preparedByLast(
  file: string,
  keeper: KeeperChannel,
  present: Loaded | null,
): Promise<Prepared | null> {
  try {
    const last = loadLastGood(file, keeper);
    return last === null || last.text === present?.text ? null : await prepared(last, keeper);
  } catch (error) {
    if (expected(error) === null) throw error;
    return null;
  }
}

async function prepared(loaded: Loaded, keeper: KeeperChannel): Promise<Prepared> {
  const log = createLog(loaded.config.log.level, 'server', standardError());
  await keeper.wantListeners(listenersOf(loaded.config));
  return { loaded, log, store: await open(loaded.config, log) };
}

function noteServing(loaded: Loaded, keeper: KeeperChannel, log: Logger): void {
  try {
    noteGood(loaded, keeper);
  } catch (problem) {
    // The disk is full, perhaps. It serves all the same.
    log.warn({ err: problem }, 'this configuration could not be noted as one that serves');
  }
}

/**
 * As a successor it begins where the predecessor has put down its work: that has closed its connections and given up the
 * lease by then. Streams of events come back by Last-Event-ID, hosts dial anew, newcomers wait in the listening sockets.
 */
async function serve(config: ServerConfig, store: Store, log: Logger, keeper: KeeperChannel): Promise<void> {
  const restart = new Restart(keeper, log);
  let server: CloudServer | null = null;
  if (keeper.isSuccessor) {
    const nothing = () => undefined;
    const succession = await keeper.succeed({
      connection: (_id, socket) => void socket.destroy(),
      gone: nothing,
      rehearse: nothing,
      adopt: nothing,
    });
    server = await CloudServer.start(config, { store, log, keeper, restart });
    await succession.activate(nothing);
  } else server = await CloudServer.start(config, { store, log, keeper, restart });
  const present = server;
  keeper.bequeath({
    connections: () => [],
    quiesce: () => {
      restart.begins();
      return present[Symbol.asyncDispose]();
    },
    state: () => new Uint8Array(),
    // It has put down its work: it takes it up again as a new process.
    resume: () => process.exit(1),
  });
  keeper.onSignal((signal) => {
    if (signal === 'SIGTERM' || signal === 'SIGINT') void stop(present, keeper, log);
    else restart.ask().catch(() => undefined); // it has been told
  });
  keeper.ready();
  for (const { name } of config.listen) process.stdout.write(`listening on ${name}\n`);
  log.info({ store: config.store.startsWith('sqlite:') ? config.store : 'postgres' }, 'serving');
}

async function stop(server: CloudServer, keeper: KeeperChannel, log: Logger): Promise<void> {
  log.info('stopping; runs go on on their hosts');
  await server[Symbol.asyncDispose]();
  log.info('stopped');
  await keeper.stopping();
  exitAfterFlush(log, 0);
}

function listenersOf(config: ServerConfig) {
  return config.listen.map((listen) => ({ ...listen, backlog: BACKLOG }));
}

/** What may well happen, said for people; null: a defect. */
function expected(error: unknown): string | null {
  if (error instanceof DocumentError) return error.format();
  if (error instanceof ListenError) return error.message;
  if (error instanceof StoreError)
    return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  return null;
}
