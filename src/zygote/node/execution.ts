import { writeSync } from 'node:fs';
import { type Ending, tellMonitors } from './repairs/index.ts';
import { errorLine, FAILED, meaningOf, type Returned, trace, UNSETTLED } from './results.ts';
import { MOST_ERROR_BYTES, oneLine, type RunFile } from './run-file.ts';

/** The user's code in a child, and what its run file says of it. From here on the process ends by itself. */
export class Execution implements Ending {
  readonly #runFile: RunFile;
  #settled = false;
  #failed = false;

  constructor(runFile: RunFile) {
    this.#runFile = runFile;
  }

  /** What the run is, from the hook to what its job returns. Never rejects. */
  async run(act: () => Promise<unknown>): Promise<void> {
    try {
      this.#settle(await act());
    } catch (error) {
      // As if nobody had caught it; handlers for that may report it, and can't make the run succeed.
      tellMonitors(error, 'uncaughtException');
      this.#end(this.uncaught(error));
    }
  }

  uncaught(error: unknown): number {
    this.fail(errorLine(error), trace(error));
    return FAILED;
  }

  /** The run has failed: a line for whoever asks, the whole story for the log. */
  fail(error: string, log = `${error}\n`): void {
    writeAll(2, log);
    if (this.#failed) return;
    this.#failed = true;
    this.#runFile.note('error', oneLine(error, MOST_ERROR_BYTES));
  }

  stalled(): number | null {
    if (this.#settled) return null;
    this.fail('run() has not settled, and nothing is left that it could wait for');
    return UNSETTLED;
  }

  last(code: number): void {
    this.#runFile.note('exit', String(code));
  }

  #settle(value: unknown): void {
    const returned = meaningOf(value);
    if (returned.kind === 'problem') this.fail(returned.problem);
    if (returned.kind === 'result') this.#runFile.note('result', returned.json);
    this.#end(codeOf(returned));
  }

  /** Handlers have their say; what is open does not delay the end. */
  #end(code: number | undefined): void {
    this.#settled = true;
    if (code !== undefined) process.exitCode = code;
    process.emit('beforeExit', Number(process.exitCode ?? 0));
    process.exit();
  }
}

/** Undefined: whatever user code has set process.exitCode to. */
function codeOf(returned: Returned): number | undefined {
  if (returned.kind === 'code') return returned.code;
  return returned.kind === 'problem' ? FAILED : undefined;
}

/** process.stderr may be anything by now, user code can replace it. */
function writeAll(fd: number, text: string): void {
  try {
    for (let bytes = Buffer.from(text); bytes.length > 0; ) bytes = bytes.subarray(writeSync(fd, bytes));
  } catch {
    // ENOSPC, or user code has closed it: the run file has the message.
  }
}
