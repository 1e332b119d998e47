import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { LogChunk } from './chunk.ts';
import { type LogFile, openPoolFile } from './files.ts';
import { isMissing } from './holes.ts';
import { type Mask, NO_MASK } from './mask.ts';
import { MAX_CHUNK_BYTES, readRange } from './tail.ts';

export interface FollowOptions {
  /** Where to begin: bytes from the start, or negative from the end. */
  readonly offset: number;
  /** What an offset inside a character means: `exact` when absent, `character` for one that LogTimes gave. */
  readonly start?: 'exact' | 'character';
  readonly mask?: Mask;
  /** Of one chunk, at most. */
  readonly chunkBytes?: number;
}

type Waiting = { readonly wake: () => void };

/**
 * Follows a log while it grows: `next()` gives the next piece when there is one, and 'end' once `finish()` was called
 * and everything is read. Whoever reads slowly holds nothing up and nothing in memory: the log is the buffer.
 *
 * It is woken by inotify on the file, or on the folder until the file is there, and by `poke()`. Where the system has
 * no watch left (fs.inotify.max_user_watches) poke() alone does it; GrowthWatch notices growth once a second.
 *
 * Its whole state is `offset`. Another process goes on with a new LogFollower from there.
 */
export class LogFollower {
  readonly #log: LogFile;
  readonly #mask: Mask;
  readonly #chunkBytes: number;
  #offset: number;
  /** Of the first chunk; what follows begins where one has ended. */
  #start: 'exact' | 'character';
  #state: 'growing' | 'finished' | 'closed' = 'growing';
  /** Something happened since the log was last looked at. */
  #stirred = false;
  #waiting: Waiting | null = null;
  #reading = false;
  #watcher: { readonly on: 'file' | 'folder'; readonly handle: FSWatcher } | null = null;

  constructor(log: LogFile, options: FollowOptions) {
    this.#log = log;
    this.#offset = options.offset;
    this.#start = options.start ?? 'exact';
    this.#mask = options.mask ?? NO_MASK;
    this.#chunkBytes = options.chunkBytes ?? MAX_CHUNK_BYTES;
  }

  /** Where the next chunk begins. */
  get offset(): number {
    return this.#offset;
  }

  /** The log may have grown: look again. */
  poke(): void {
    this.#stirred = true;
    this.#waiting?.wake();
  }

  /** The run has ended: what is in the log now is all there will be. */
  finish(): void {
    if (this.#state === 'growing') this.#state = 'finished';
    this.poke();
  }

  /** Gives the watch back. A `next()` that waits ends with 'end'. */
  close(): void {
    this.#state = 'closed';
    this.#unwatch();
    this.poke();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** One call at a time. Throws UnsafeFileError. */
  async next(): Promise<LogChunk | 'end'> {
    if (this.#reading) throw new Error('LogFollower.next() was called while the last call has not ended');
    this.#reading = true;
    try {
      return await this.#next();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#reading = false;
    }
  }

  async #next(): Promise<LogChunk | 'end'> {
    for (;;) {
      // All three before the log is looked at, so that nothing that happens from here on goes unnoticed.
      this.#stirred = false;
      const ends = this.#state === 'growing' ? 'growing' : 'final';
      if (ends === 'growing') await this.#watch();
      if (this.#state === 'closed') return 'end';
      const range = { offset: this.#offset, length: this.#chunkBytes, start: this.#start, ends } as const;
      const chunk = await readRange(this.#log, range, this.#mask);
      const advanced = chunk.next > chunk.offset;
      // A negative offset counts from an end that moves: it is settled by the first look at a log that has something.
      if (advanced || (this.#offset < 0 && chunk.size > 0)) {
        this.#offset = chunk.next;
        this.#start = 'exact';
      }
      if (chunk.data.length > 0) return chunk;
      if (!advanced && ends === 'final') {
        this.close();
        return 'end';
      }
      if (!advanced) await this.#stir();
    }
  }

  async #stir(): Promise<void> {
    if (this.#stirred || this.#state === 'closed') return;
    await new Promise<void>((wake) => {
      this.#waiting = { wake };
    });
    this.#waiting = null;
  }

  /** Watches the file, or while there is none its folder. */
  async #watch(): Promise<void> {
    if (this.#watcher?.on === 'file') return;
    const file = await openPoolFile(this.#log, 'read');
    if (file !== null) {
      await using owned = file;
      this.#unwatch();
      this.#watchDescriptor(owned, 'file');
    } else if (this.#watcher === null) {
      await using folder = await openFolder(this.#log.folder);
      if (folder !== null) this.#watchDescriptor(folder, 'folder');
    }
  }

  /** By the descriptor's path, so that exactly what was opened is watched. The watch outlives the descriptor. */
  #watchDescriptor(opened: FileHandle, on: 'file' | 'folder'): void {
    if (this.#state === 'closed') return;
    try {
      const handle = watch(`/proc/self/fd/${opened.fd}`);
      handle.on('change', (event, name) => this.#notice(on, event, String(name)));
      handle.on('error', () => this.#unwatch());
      this.#watcher = { on, handle };
    } catch (error) {
      // No watch left (ENOSPC) or no inotify instance (EMFILE): inotify_add_watch(2), inotify_init(2).
      if (
        !(
          error instanceof Error &&
          'code' in error &&
          ['ENOSPC', 'EMFILE', 'ENOENT'].includes(String(error.code))
        )
      ) {
        throw error;
      }
    }
  }

  #notice(on: 'file' | 'folder', event: string, name: string): void {
    if (on === 'folder' && name !== this.#log.name) return;
    // `rename` of the file itself: it is gone, and another may stand in its place.
    if (on === 'file' && event === 'rename') this.#unwatch();
    this.poke();
  }

  #unwatch(): void {
    this.#watcher?.handle.close();
    this.#watcher = null;
  }
}

async function openFolder(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
