import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  bootId,
  exitNow,
  getppid,
  setChildSubreaper,
  setParentDeathSignal,
  startTime,
} from '../../posix/index.ts';
import type { ZygoteConfig } from '../contract.ts';
import { killInTest } from '../serving/index.ts';
import { contextOf } from './context.ts';
import { Execution } from './execution.ts';
import { receive } from './parking.ts';
import { leave, openLog, openStandardInput, takeOverExits } from './repairs/index.ts';
import { type JobStart, PROBE } from './request.ts';
import { FAILED } from './results.ts';
import { oneLine, RunFile } from './run-file.ts';
import { jobOf, type UserCode } from './user-code.ts';

const SIGKILL = 9;
/** Exit code of a child that ran nothing of the user's. */
const NOTHING_RUN = 125;
const MOST_REPORT_BYTES = 2_000;

/** How a child has come to be. */
export interface Origin {
  /** The pid of its zygote. */
  readonly zygote: number;
  /** What is its zygote's is not its own; called first of all. */
  leave(): void;
  /** Signals are user code's from now on. */
  handSignalsOver(): void;
  /** For the probe: rejects where this is not as whole as a process that was started. */
  check(): Promise<void>;
}

/**
 * A process that has loaded the user's code, from there to a run: "What a child does before any user code" of
 * docs/zygote.md, in its order.
 */
export class Child {
  readonly #config: ZygoteConfig;
  readonly #userCode: UserCode;
  readonly #reportFd: number;
  readonly #origin: Origin;
  readonly #bootId = bootId();
  /** Pid, start time and boot id, which no other process has had or will have. */
  #identity = '';

  constructor(config: ZygoteConfig, userCode: UserCode, reportFd: number, origin: Origin) {
    this.#config = config;
    this.#userCode = userCode;
    this.#reportFd = reportFd;
    this.#origin = origin;
  }

  /** Waits for a run; ends with the zygote. */
  park(socket: number): void {
    this.#prepare();
    setParentDeathSignal(SIGKILL);
    if (getppid() !== this.#origin.zygote) exitNow(0); // it died before prctl(2) could tell
    const start = receive(socket);
    if (start === null) exitNow(0);
    // From here on the run is under way and outlives its zygote.
    setParentDeathSignal(0);
    closeSync(socket);
    this.#begin(start);
  }

  run(start: JobStart): void {
    this.#prepare();
    this.#begin(start);
  }

  /** All that needs no run. */
  #prepare(): void {
    this.#origin.leave();
    if (!this.#config.leave_children) setChildSubreaper();
    this.#identity = `${process.pid} ${startTime(process.pid)} ${this.#bootId}`;
  }

  #begin(start: JobStart): void {
    const { runs, pool, generation } = this.#config;
    const path = join(runs, `${start.file}.run`);
    const runFile = this.#claim(path, start);
    const execution = new Execution(runFile);
    try {
      openLog(join(runs, start.log));
      if (start.cwd !== '') process.chdir(start.cwd);
    } catch (error) {
      execution.fail((error as Error).message);
      leave(execution, FAILED);
    }
    Object.assign(process.env, start.env, {
      ROCKSY_KEY: start.key,
      ROCKSY_POOL: pool,
      ROCKSY_RUN_FILE: path,
    });
    process.title = `rocksy ${pool}/${generation} ${start.class === PROBE ? 'probe' : start.class}`;
    takeOverExits(execution);
    this.#origin.handSignalsOver();
    void execution.run(() => this.#act(start, runFile));
  }

  async #act(start: JobStart, runFile: RunFile): Promise<unknown> {
    await this.#userCode.afterFork();
    if (start.class === PROBE) return this.#origin.check();
    return jobOf(this.#userCode, start.class).run(start.params, contextOf(start.key, start.class, runFile));
  }

  /** Does not return where the run can't be this process's. */
  #claim(path: string, start: JobStart): RunFile {
    try {
      openStandardInput(start.stdin);
      killInTest('child:before-claim');
      const runFile = RunFile.claim(path, this.#identity);
      killInTest('child:claimed-before-report');
      this.#report('claimed');
      closeSync(this.#reportFd);
      return runFile;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#report(
        'unclaimed',
        code === 'EEXIST' ? `the key has been claimed before: ${path} exists` : message,
      );
      return exitNow(NOTHING_RUN);
    }
  }

  #report(step: 'claimed' | 'unclaimed', problem = ''): void {
    try {
      writeSync(
        this.#reportFd,
        `${oneLine(`${step} ${process.pid} ${process.pid} ${problem}`, MOST_REPORT_BYTES)}\n`,
      );
    } catch {
      // EPIPE: the zygote has died, and a run outlives it.
    }
  }
}
