import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathOf } from '../takeover/processes.ts';

const PROGRAM = 'redis-server';

/** How often it waits for the disk: redis.conf, appendfsync. */
export type AppendFsync = 'everysec' | 'always';

/** What is missing to start one, and the remedy. */
export function missingRedis(): string | null {
  return pathOf(PROGRAM) === null
    ? `${PROGRAM} is missing: apt-get install --no-install-recommends redis-server`
    : null;
}

/** What its numbers mean. */
export function describeRedis(): string {
  if (missingRedis() !== null) return 'Redis: not installed';
  const version = /v=([\d.]+)/.exec(execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }))?.[1];
  return `Redis ${version}, appendonly yes, appendfsync as the row says, no snapshots; otherwise as it is by default, by a Unix socket`;
}

/**
 * A Redis of one's own, never the system's: a child of this process, in a temporary folder, reached by a Unix socket
 * only, ended and removed with this object.
 */
export class Redis implements AsyncDisposable {
  readonly socket: string;
  readonly #folder: string;
  readonly #server: ChildProcess;

  static async start(appendFsync: AppendFsync): Promise<Redis> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'rocksy-redis-'));
    const socket = path.join(folder, 'redis.sock');
    const settings = {
      port: '0',
      unixsocket: socket,
      dir: folder,
      appendonly: 'yes',
      appendfsync: appendFsync,
      // No snapshots: the log has everything.
      save: '',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    // It dies with this process, however that ends: prctl(2), PR_SET_PDEATHSIG.
    const server = spawn('setpriv', ['--pdeathsig', 'KILL', PROGRAM, ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const redis = new Redis(folder, socket, server);
    await redis.#ready();
    // Whatever it says later is not read, and must not fill the pipe.
    server.stdout?.resume();
    return redis;
  }

  private constructor(folder: string, socket: string, server: ChildProcess) {
    this.#folder = folder;
    this.socket = socket;
    this.#server = server;
  }

  async #ready(): Promise<void> {
    let said = '';
    for await (const bytes of this.#server.stdout?.iterator({ destroyOnReturn: false }) ?? []) {
      said += bytes;
      // "Ready to accept connections" by TCP, "The server is now ready to accept connections at" a socket.
      if (/ready to accept connections/i.test(said)) return;
    }
    throw new Error(`Redis did not start:\n${said}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      this.#server.kill('SIGKILL');
      await once(this.#server, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
