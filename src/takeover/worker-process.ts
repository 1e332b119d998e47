// The worker as the keeper sees it: started, spoken to, killed, gone.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, realpathSync, writeSync } from 'node:fs';
import { sendDescriptors, socketpair } from '../posix/index.ts';
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
/** Of what a successor prints, so much of the end is told to whoever asked for the takeover. */
const OUTPUT_KEPT = 16_384;

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
 * listening sockets in the manifest's order, a socket for descriptors, then its end of the IPC channel. A successor has
 * pipes to the keeper as 1 and 2, and what they are to become as two more before the channel. The keeper keeps the
 * sockets and the other ends. The worker's end: its connections end, the listening sockets stay; the keeper's 'exit' event. The
 * keeper's end: the worker gets SIGKILL (PR_SET_PDEATHSIG, set by connectToKeeper()).
 * It leads a session of its own, so that a terminal's Ctrl-C reaches the keeper only: setsid(2).
 */
export class WorkerProcess {
  readonly entry: string;
  /** The names of the listeners that it wants; null: those that there are. */
  wanted: ReadonlySet<string> | null = null;
  /** Those that were opened because it wanted them. */
  readonly opened = new Set<string>();
  readonly #descriptors: number;
  #output = '';
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  #end: WorkerEnd | null = null;
  #channelTimer: NodeJS.Timeout | undefined;

  /** Throws when `entry` does not exist or the process could not be made; see also WorkerEnd 'not-started'. */
  constructor(
    role: 'first' | 'successor',
    options: KeeperOptions,
    listeners: readonly HeldListener[],
    events: WorkerEvents,
  ) {
    this.entry = realpathSync(options.entry);
    this.#events = events;
    const [ours, theirs] = socketpair('seqpacket');
    this.#descriptors = ours;
    try {
      this.#child = spawn(
        options.execPath?.(this.entry) ?? process.execPath,
        [...options.execArgv, this.entry, ...options.args],
        {
          env: {
            ...options.env,
            [MANIFEST_VARIABLE]: JSON.stringify(manifest(role, options.lockDir, listeners)),
          },
          stdio: stdio(role, listeners, theirs),
          detached: true,
        },
      );
    } catch (error) {
      closeSync(ours);
      throw error;
    } finally {
      closeSync(theirs);
    }
    for (const [fd, stream] of [this.#child.stdout, this.#child.stderr].entries()) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_KEPT);
        print(fd + 1, text);
      });
    }
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

  /** Passes copies of descriptors; tell the worker by a message after it. False: it does not take them in. */
  pass(fds: readonly number[]): boolean {
    return sendDescriptors(this.#descriptors, Buffer.from('.'), fds);
  }

  /** The last of what it printed before it owned anything. */
  get output(): string {
    return this.#output;
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
    closeSync(this.#descriptors);
    this.#child.removeAllListeners();
    this.#child.on('error', () => undefined); // nobody is left to tell
    this.#events.gone(this.#end);
  }
}

function manifest(
  role: 'first' | 'successor',
  lockDir: string,
  listeners: readonly HeldListener[],
): Manifest {
  const descriptors = FIRST_LISTENER_FD + listeners.length;
  return {
    v: CHANNEL_VERSION,
    keeperPid: process.pid,
    lockDir,
    listeners: listeners.map(({ options: { name, kind, backlog } }, i) => ({
      name,
      kind,
      fd: FIRST_LISTENER_FD + i,
      backlog,
    })),
    descriptors,
    ...(role === 'successor' ? { successor: { stdout: descriptors + 1, stderr: descriptors + 2 } } : {}),
  };
}

function stdio(
  role: 'first' | 'successor',
  listeners: readonly HeldListener[],
  descriptors: number,
): StdioOptions {
  const sockets = [...listeners.map(({ fd }) => fd), descriptors];
  return role === 'first'
    ? ['ignore', 'inherit', 'inherit', ...sockets, 'ipc']
    : ['ignore', 'pipe', 'pipe', ...sockets, 1, 2, 'ipc'];
}

/** What a successor says belongs to everybody's log; one that nobody reads must not hold the keeper up. */
function print(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EAGAIN', 'EPIPE', 'EIO', 'ENOSPC'].includes(code)) throw error;
  }
}
