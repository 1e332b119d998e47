import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ChildEnd, type FileAction, memfd, socketpair, spawn } from '../../../posix/index.ts';
import { CONFIG_VARIABLE, type ZygoteConfig } from '../../contract.ts';
import { signal } from '../../serving/index.ts';
import type { Spares, Waiting } from '../parking.ts';
import type { JobStart } from '../request.ts';

const SIGKILL = 9;
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const PROGRAM = fileURLToPath(new URL(`./child.${EXTENSION}`, import.meta.url));

/** Descriptors of a started process. */
export const REPORT_FD = 3;
/** Where its run comes from: its end of a socket pair, or a file that holds it. */
export const RUN_FD = 4;

/** `wait`: a run comes later. `run`: it is there. */
export type Purpose = 'wait' | 'run';

/**
 * Starts processes that load the user's code by themselves. Each is a child of this one, and reaped by it. One that waits
 * for a run ends with it (PR_SET_PDEATHSIG, in child.ts).
 */
export class Starter implements Spares {
  readonly #config: ZygoteConfig;
  readonly #command: readonly string[];
  readonly #reportFd: number;
  #loading: (Waiting & { readonly made: (child: Waiting | Error) => void }) | null = null;

  /**
   * @param command the interpreter and its arguments
   * @param reportFd our copy of the end that children report on
   */
  constructor(config: ZygoteConfig, command: readonly string[], reportFd: number) {
    this.#config = config;
    this.#command = command;
    this.#reportFd = reportFd;
  }

  make(made: (child: Waiting | Error) => void): void {
    const [ours, theirs] = socketpair('seqpacket');
    try {
      this.#loading = { pid: this.#start('wait', theirs), socket: ours, made };
    } catch (error) {
      closeSync(ours);
      made(error as Error);
    } finally {
      closeSync(theirs);
    }
  }

  cancel(): void {
    if (this.#loading === null) return;
    signal(this.#loading.pid, SIGKILL);
    closeSync(this.#loading.socket);
    this.#loading = null;
  }

  /** Starts one for this run. Throws a PosixError: EAGAIN, ENOMEM, ENOENT. */
  run(start: JobStart): number {
    const file = memfd('rocksy-run', JSON.stringify(start));
    try {
      return this.#start('run', file);
    } finally {
      closeSync(file);
    }
  }

  isLoading(pid: number): boolean {
    return this.#loading?.pid === pid;
  }

  /** It is ready for a run. */
  loaded(pid: number): void {
    if (this.#loading?.pid !== pid) return;
    const { socket, made } = this.#loading;
    this.#loading = null;
    made({ pid, socket });
  }

  /** `false`: it was none that was loading. */
  reaped({ pid, code, signal }: ChildEnd): boolean {
    if (this.#loading?.pid !== pid) return false;
    const { socket, made } = this.#loading;
    this.#loading = null;
    closeSync(socket);
    made(
      new Error(`a started process ended ${signal === null ? `with code ${code}` : `of signal ${signal}`}`),
    );
    return true;
  }

  #start(purpose: Purpose, run: number): number {
    const [interpreter = '', ...args] = this.#command;
    const fileActions: FileAction[] = [
      { do: 'open', fd: 0, path: '/dev/null', flags: 0, mode: 0 },
      { do: 'dup2', from: 1, to: 1 },
      { do: 'dup2', from: 2, to: 2 },
      // 3 is our listening socket, so nothing that is still to be copied stands there.
      { do: 'dup2', from: this.#reportFd, to: REPORT_FD },
      { do: 'dup2', from: run, to: RUN_FD },
    ];
    return spawn({
      file: interpreter,
      argv: [interpreter, ...args, PROGRAM, purpose, String(process.pid)],
      env: { ...defined(process.env), [CONFIG_VARIABLE]: JSON.stringify(this.#config) },
      fileActions,
    });
  }
}

function defined(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
