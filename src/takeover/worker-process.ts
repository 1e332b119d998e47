// The worker as the keeper sees it: started, spoken to, killed, gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import type { WorkerEnd } from './lifecycle.ts';
import type { HeldListener } from './listeners.ts';
import {
  CHANNEL_VERSION,
  envelope,
  MANIFEST_VARIABLE,
  type Manifest,
  type Parsed,
  parseToKeeper,
  type ToKeeper,
  type ToWorker,
} from './messages.ts';
import type { KeeperOptions } from './options.ts';

const FIRST_LISTENER_FD = 3;
/** The channel of a dead worker ends at once, unless a child of its has a copy: then we wait no longer than this. */
const CHANNEL_END_MS = 1000;

export interface WorkerEvents {
  message(parsed: Parsed<ToKeeper>): void;
  /** libuv has reaped it; its last messages may still be under way. */
  reaped(): void;
  /** All it said has been read. Comes exactly once, and last. */
  gone(end: WorkerEnd): void;
}

/**
 * The process boundary between keeper and worker.
 * Started by the keeper, reaped by libuv in the keeper. It has: 0 /dev/null, 1 and 2 the keeper's, from 3 on the
 * listening sockets in the manifest's order, then its end of the IPC channel. The keeper keeps the sockets and the
 * other end. The worker's end: its connections end, the listening sockets stay; the keeper's 'exit' event. The
 * keeper's end: the worker gets SIGKILL (PR_SET_PDEATHSIG, set by connectToKeeper()).
 * It leads a session of its own, so that a terminal's Ctrl-C reaches the keeper only: setsid(2).
 */
export class WorkerProcess {
  readonly entry: string;
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  #end: WorkerEnd | null = null;
  #channelTimer: NodeJS.Timeout | undefined;

  /** Throws when `entry` does not exist or the process could not be made; see also WorkerEnd 'not-started'. */
  constructor(options: KeeperOptions, listeners: readonly HeldListener[], events: WorkerEvents) {
    this.entry = realpathSync(options.entry);
    this.#events = events;
    this.#child = spawn(
      options.execPath ?? process.execPath,
      [...options.execArgv, this.entry, ...options.args],
      {
        env: { ...options.env, [MANIFEST_VARIABLE]: JSON.stringify(manifest(listeners)) },
        stdio: ['ignore', 'inherit', 'inherit', ...listeners.map(({ fd }) => fd), 'ipc'],
        detached: true,
      },
    );
    this.#child.on('message', (value) => events.message(parseToKeeper(value)));
    this.#child.on('error', (error) => this.#failed(error));
    this.#child.on('exit', (code, signal) => this.#exited(code, signal));
    // 'exit' may come before the last message has been read, 'close' comes after the channel's end too.
    this.#child.on('close', () => this.#gone());
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Does this pid still belong to the worker, reaped or not? */
  owns(pid: number): boolean {
    return this.#end === null && this.#child.pid === pid;
  }

  /** A message to a worker that is gone is lost: its end is on the way, and what must not be lost is sent again. */
  send(message: ToWorker, onLost: (error: Error) => void): void {
    this.#child.send(envelope(message), (error) => {
      if (error !== null) onLost(error);
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #failed(error: Error): void {
    if (this.#child.pid !== undefined) return; // a failed send or kill: its callback or 'exit' tells
    this.#end = { how: 'not-started', reason: error.message };
    this.#gone();
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    this.#end = signal === null ? { how: 'exited', code: code ?? 0 } : { how: 'killed', signal };
    this.#channelTimer = setTimeout(() => {
      if (this.#child.connected) this.#child.disconnect();
      this.#gone();
    }, CHANNEL_END_MS);
    this.#events.reaped();
  }

  #gone(): void {
    clearTimeout(this.#channelTimer);
    if (this.#end === null) return;
    this.#child.removeAllListeners();
    this.#child.on('error', () => undefined); // nobody is left to tell
    this.#events.gone(this.#end);
  }
}

function manifest(listeners: readonly HeldListener[]): Manifest {
  return {
    v: CHANNEL_VERSION,
    keeperPid: process.pid,
    listeners: listeners.map(({ options: { name, kind, backlog } }, i) => ({
      name,
      kind,
      fd: FIRST_LISTENER_FD + i,
      backlog,
    })),
  };
}
