import fs from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { RunFile } from '../wire/index.ts';
import type { Retention } from './config/index.ts';
import type { Journal } from './journal/index.ts';
import { type LogTimes, removeNotes } from './logs/index.ts';
import type { Pools } from './pools/index.ts';

const EVERY_MS = 60_000;

export interface RunFolder {
  readonly runs: string;
  readonly notes: string;
}

/** Removes what a run left on disk. @param log base name of its log; null where others still write to it */
export async function removeFiles(
  folder: RunFolder,
  file: RunFile,
  log: string | null,
  times: LogTimes,
): Promise<void> {
  await removeFile(path.join(folder.runs, `${file}.run`));
  if (log === null) return;
  await removeFile(path.join(folder.runs, log));
  await forgetNotes(path.join(folder.notes, log.slice(0, -'.log'.length)), times);
}

/** What the pool's user has put in a file's place (a folder) stays where it is: it must not stop the removal of others. */
async function removeFile(file: string): Promise<void> {
  try {
    await fs.unlink(file);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'EISDIR', 'EPERM', 'ENOTDIR'].includes(code)) throw error;
  }
}

/** What still waits in memory to be noted would come back after the files are gone. */
async function forgetNotes(notes: string, times: LogTimes): Promise<void> {
  await times.close(notes);
  await removeNotes(notes);
}

interface LogOnDisk {
  readonly path: string;
  readonly notes: string;
  readonly bytes: number;
  readonly changedMs: number;
}

export interface RetentionOptions {
  readonly policy: Retention;
  readonly journal: Journal;
  readonly pools: Pools;
  readonly times: LogTimes;
  /** Base names of logs that runs in progress write to. */
  readonly inUse: () => ReadonlySet<string>;
  readonly log: Logger;
}

/** Lets runs and logs go by age and size, once a minute. Runs that have not ended are never touched. */
export class RetentionSweep {
  readonly #policy: Retention;
  readonly #journal: Journal;
  readonly #pools: Pools;
  readonly #times: LogTimes;
  readonly #inUse: () => ReadonlySet<string>;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: RetentionOptions) {
    const { log } = options;
    this.#policy = options.policy;
    this.#journal = options.journal;
    this.#pools = options.pools;
    this.#times = options.times;
    this.#inUse = options.inUse;
    this.#timer = setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.sweep(Date.now()))
        .catch((error: unknown) =>
          log.error({ err: error }, 'old runs could not be removed; trying again in a minute'),
        );
    }, EVERY_MS).unref();
  }

  async sweep(nowMs: number): Promise<void> {
    const policy = { maxAgeMs: this.#policy.runsMaxAgeMs, maxCount: this.#policy.runsMaxCount, nowMs };
    // The files go first: once the journal has forgotten a run its key may run anew, and the claim would be the new one's.
    await this.#journal.expire(policy, async (slice) => {
      for (const { pool, file, log } of slice) {
        const folder = this.#pools.find(pool)?.folder;
        if (folder !== undefined) await removeFiles(folder, file as RunFile, log, this.#times);
      }
    });
    await this.#removeLogs(nowMs);
  }

  async #removeLogs(nowMs: number): Promise<void> {
    const logs: LogOnDisk[] = [];
    for (const pool of this.#pools.all) logs.push(...(await listLogs(pool.folder)));
    logs.sort((a, b) => a.changedMs - b.changedMs);
    const inUse = this.#inUse();
    let bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
    for (const log of logs) {
      const old = nowMs - log.changedMs > this.#policy.logsMaxAgeMs;
      if (!old && bytes <= this.#policy.logsMaxBytes) break;
      if (inUse.has(path.basename(log.path))) continue;
      bytes -= log.bytes;
      await removeFile(log.path);
      await forgetNotes(log.notes, this.#times);
    }
  }

  /** Stops for good; resolves when nothing is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }
}

async function listLogs(folder: RunFolder): Promise<LogOnDisk[]> {
  const logs: LogOnDisk[] = [];
  for (const name of await fs.readdir(folder.runs)) {
    if (!name.endsWith('.log')) continue;
    const file = path.join(folder.runs, name);
    // lstat: a link that the pool's user made is not followed.
    const stats = await fs.lstat(file).catch(nullIfGone);
    if (stats?.isFile() !== true) continue;
    logs.push({
      path: file,
      notes: path.join(folder.notes, name.slice(0, -'.log'.length)),
      bytes: stats.blocks * 512,
      changedMs: stats.mtimeMs,
    });
  }
  return logs;
}

/** A file that is gone meanwhile is no log any more; any other error is one. */
function nullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
