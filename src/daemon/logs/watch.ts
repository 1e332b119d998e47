import { lstatSync } from 'node:fs';
import { setImmediate as nextTurnOfLoop } from 'node:timers/promises';
import type { Progress, RunKey } from '../../wire/index.ts';
import { boundLog } from './bound.ts';
import type { LogFile, PoolFile } from './files.ts';
import type { LogTimes } from './times.ts';

/** A run that is going, and the two files that it writes. */
export interface Watched {
  readonly key: RunKey;
  readonly log: LogFile;
  readonly runFile: PoolFile;
}

export interface GrowthWatchOptions<R extends Watched> {
  readonly running: () => Iterable<R>;
  /** The log of a run has another size than at the last turn. */
  readonly grew: (run: R, size: number) => void;
  readonly progressed: (run: R, progress: Progress) => void;
  /** A file of this run could not be read, bounded or noted. Said once for each run. */
  readonly failed: (run: R, error: unknown) => void;
  /** What a run file says last about progress; null when nothing. */
  readonly readProgress: (file: PoolFile) => Progress | null;
  readonly times: LogTimes;
  /** Of one log; 0 is no bound. */
  readonly maxLogBytes: number;
  readonly nowMs: () => number;
}

/** What has been told of a run, so that another process tells it no second time. */
export interface Told {
  readonly key: RunKey;
  readonly logSize: number;
  readonly progress: Progress | null;
}

interface Entry<R> {
  run: R;
  /** Number of the turn that has last seen this run among the running ones. */
  turn: number;
  logSize: number;
  runFileSize: number;
  progress: Progress | null;
  /** The size at which the log has to be bounded. */
  boundAtBytes: number;
  health: 'well' | 'failed';
}

const EVERY_MS = 1000;
/** Runs looked at before the event loop gets its turn: about 1.5 ms, two lstat(2) each. */
const SLICE = 200;
/** Acts before it gets its turn again: a small file is read in about 30 microseconds. */
const ACTS = 50;
/** Reads and writes at the same time, of files that have grown. The threadpool has 4 threads for everybody. */
const AT_ONCE = 4;

/**
 * Once a second looks at the files of all running runs: tells which logs grew and which progress changed, notes sizes
 * in the time index and keeps logs within their bound. A run that is quiet costs two lstat(2) a turn. Sizes only: what
 * is read is opened by openPoolFile.
 */
export class GrowthWatch<R extends Watched> {
  readonly #options: GrowthWatchOptions<R>;
  readonly #entries = new Map<RunKey, Entry<R>>();
  /** What a former process has told of runs that have not been looked at yet. */
  #told = new Map<RunKey, Told>();
  #turnNumber = 0;
  #timer: NodeJS.Timeout | null = null;
  #current: Promise<void> = Promise.resolve();
  #state: 'stopped' | 'started' = 'stopped';

  constructor(options: GrowthWatchOptions<R>) {
    this.#options = options;
  }

  /** Begins with the first turn in a second. The timer keeps no process alive. */
  start(): void {
    if (this.#state === 'started') return;
    this.#state = 'started';
    this.#schedule();
  }

  /** Ends when the turn that is going has ended; what is known is written down then. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#current;
    await this.#options.times.writeAll();
  }

  /** What has been told of the runs that are watched. */
  get told(): Told[] {
    const now = [...this.#entries].map(([key, { logSize, progress }]) => ({ key, logSize, progress }));
    return [...now, ...this.#told.values()];
  }

  /** Before `start`: what a former process has told. */
  goOnFrom(told: readonly Told[]): void {
    this.#told = new Map(told.map((each) => [each.key, each]));
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      // A turn that takes longer than a second is followed by the next one a second later: they never overlap.
      this.#current = this.turn().then(() => {
        if (this.#state === 'started') this.#schedule();
      });
    }, EVERY_MS).unref();
  }

  /** One look at everything. Never two at the same time. */
  async turn(): Promise<void> {
    this.#turnNumber += 1;
    const work: Work<R>[] = [];
    const runs = [...this.#options.running()];
    for (const [at, run] of runs.entries()) {
      if (at > 0 && at % SLICE === 0) await nextTurnOfLoop();
      this.#look(this.#entryOf(run), work);
    }
    // Who has not been looked at by now has ended.
    this.#told.clear();
    this.#forgetEnded(work);
    await this.#carryOut(work);
  }

  #entryOf(run: R): Entry<R> {
    const known = this.#entries.get(run.key);
    if (known !== undefined) {
      known.run = run;
      known.turn = this.#turnNumber;
      return known;
    }
    const max = this.#options.maxLogBytes;
    const told = this.#told.get(run.key);
    this.#told.delete(run.key);
    const entry: Entry<R> = {
      run,
      turn: this.#turnNumber,
      logSize: told?.logSize ?? 0,
      runFileSize: 0,
      progress: told?.progress ?? null,
      boundAtBytes: max === 0 ? Number.POSITIVE_INFINITY : max,
      health: 'well',
    };
    this.#entries.set(run.key, entry);
    return entry;
  }

  #look(entry: Entry<R>, work: Work<R>[]): void {
    const { run } = entry;
    const logSize = sizeOf(run.log);
    if (logSize !== entry.logSize) {
      entry.logSize = logSize;
      this.#options.grew(run, logSize);
      const { times, nowMs } = this.#options;
      if (times.note(run.log.notes, nowMs(), logSize))
        work.push({ entry, act: () => times.write(run.log.notes) });
      if (logSize > entry.boundAtBytes) work.push({ entry, act: () => this.#bound(entry) });
    }
    const runFileSize = sizeOf(run.runFile);
    if (runFileSize !== entry.runFileSize) {
      entry.runFileSize = runFileSize;
      work.push({ entry, act: () => this.#readProgress(entry) });
    }
  }

  async #bound(entry: Entry<R>): Promise<void> {
    const { maxLogBytes } = this.#options;
    // Until it has succeeded, an attempt for each quarter that the log grows; not one a second.
    entry.boundAtBytes = entry.logSize + maxLogBytes / 4;
    const bounded = await boundLog(entry.run.log, maxLogBytes);
    entry.boundAtBytes =
      bounded.state === 'unsupported' ? Number.POSITIVE_INFINITY : maxLogBytes + bounded.removedBytes;
  }

  async #readProgress(entry: Entry<R>): Promise<void> {
    const progress = this.#options.readProgress(entry.run.runFile);
    if (progress === null) return;
    const former = entry.progress;
    if (former !== null && former.percent === progress.percent && former.text === progress.text) return;
    entry.progress = progress;
    this.#options.progressed(entry.run, progress);
  }

  /** Runs that are not running any more: their last sizes are written down. */
  #forgetEnded(work: Work<R>[]): void {
    for (const [key, entry] of this.#entries) {
      if (entry.turn === this.#turnNumber) continue;
      this.#entries.delete(key);
      work.push({ entry, act: () => this.#options.times.close(entry.run.log.notes) });
    }
  }

  async #carryOut(work: readonly Work<R>[]): Promise<void> {
    const queue = work.entries();
    const worker = async () => {
      for (const [at, { entry, act }] of queue) {
        // Some of it never leaves this turn of the loop by itself.
        if (at % ACTS === ACTS - 1) await nextTurnOfLoop();
        try {
          await act();
        } catch (error) {
          if (entry.health === 'well') this.#options.failed(entry.run, error);
          entry.health = 'failed';
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
}

/** Something that takes a while, for one run. */
interface Work<R> {
  readonly entry: Entry<R>;
  readonly act: () => Promise<void>;
}

/** lstat: a link that somebody put there has no size. Neither has what is not there, or can't be looked at. */
function sizeOf(file: PoolFile): number {
  try {
    const stats = lstatSync(`${file.folder}/${file.name}`, { throwIfNoEntry: false });
    return stats?.isFile() ? stats.size : 0;
  } catch {
    return 0;
  }
}
