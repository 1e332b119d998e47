import { format } from 'node:util';
import { MOST_PROGRESS_BYTES, oneLine, type RunFile } from './run-file.ts';

/** What a job is told of its run, and tells: the last argument of `run()`. */
export interface Context {
  readonly key: string;
  /** The job that the run is one of; of a run without one the name of its class. */
  readonly job: string;
  /** 1, and more where the cloud tries a run again. */
  readonly attempt: number;
  /**
   * Aborted on SIGTERM: a timeout, a cancel. Whoever asks for it has undertaken to end the run then; without it the signal
   * ends the process at once.
   */
  readonly signal: AbortSignal;
  /** How far the run is, in percent. */
  progress(percent: number, text?: string): void;
  /** A line with the time in the run's log; formats as console.log() does. */
  log(...data: unknown[]): void;
}

export function contextOf(key: string, className: string, runFile: RunFile): Context {
  let signal: AbortSignal | null = null;
  return {
    key,
    job: process.env.ROCKSY_JOB ?? className,
    attempt: Number(process.env.ROCKSY_ATTEMPT ?? 1),
    get signal() {
      signal ??= abortedOnTermination();
      return signal;
    },
    progress: (percent, text = '') => runFile.note('progress', progressLine(percent, text)),
    log: (...data) => void process.stdout.write(`${new Date().toISOString()} ${format(...data)}\n`),
  };
}

export function progressLine(percent: number, text: string): string {
  const within = Math.max(0, Math.min(100, Math.round(percent) || 0));
  return `${within} ${oneLine(text, MOST_PROGRESS_BYTES)}`.trimEnd();
}

function abortedOnTermination(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGTERM', () => controller.abort(new Error('SIGTERM')));
  return controller.signal;
}
