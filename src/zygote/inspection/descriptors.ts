import { closeSync, openSync, readSync } from 'node:fs';
import type { Descriptor } from '../../posix/index.ts';
import { describeSocket } from './sockets.ts';

/** What one open descriptor is, where children can't share it. */
export interface Shared {
  /** As in `allow`. */
  readonly name: string;
  /** Completes "the bootstrap left …". */
  readonly what: string;
  /** Why children can't share it, or what it is likely to be; may be empty. */
  readonly why: string;
}

/** Objects of the kernel without a path, by the name in /proc/PID/fd: proc_pid_fd(5). */
const ANONYMOUS: Readonly<Record<string, readonly [name: string, what: string]>> = {
  'anon_inode:inotify': ['inotify', 'a watch on files open (inotify)'],
  'anon_inode:[eventpoll]': ['epoll', 'an event loop open (epoll)'],
  'anon_inode:[io_uring]': ['io_uring', 'an event loop open (io_uring)'],
  'anon_inode:[eventfd]': ['eventfd', 'an eventfd open, of a native library perhaps'],
  'anon_inode:[timerfd]': ['timerfd', 'a timer open (timerfd)'],
};

/** What a loop or a library in another thread is built of: where that thread is named, these say no more. */
export function isOfThread({ target }: Descriptor): boolean {
  return target in ANONYMOUS && target !== 'anon_inode:inotify';
}

/** Null: children may share it. */
export function describe(pid: number, descriptor: Descriptor): Shared | null {
  const { fd, target, access, socket } = descriptor;
  if (socket !== null) return describeSocket(pid, fd, socket);
  const anonymous = ANONYMOUS[target];
  if (anonymous !== undefined) return { name: anonymous[0], what: anonymous[1], why: '' };
  if (!target.startsWith('/') || target.startsWith('/dev/') || target.endsWith(' (deleted)')) return null;
  const name = `file:${target}`;
  if (isSqlite(pid, fd, target))
    return { name, what: `the SQLite database ${target} open`, why: 'its locks are one process’s' };
  if (access === 'read') return null;
  return { name, what: `${target} open for writing`, why: '' };
}

const SQLITE_HEADER = 'SQLite format 3\0';

/**
 * A database, also one that is open for reading only, or a file beside it (Write-Ahead Log and its index:
 * https://www.sqlite.org/tempfiles.html). A new one is empty until something is written.
 */
function isSqlite(pid: number, fd: number, target: string): boolean {
  if (/-(wal|shm|journal)$/.test(target)) return true;
  try {
    const file = openSync(`/proc/${pid}/fd/${fd}`, 'r');
    const header = Buffer.alloc(SQLITE_HEADER.length);
    const length = readSync(file, header, 0, header.length, 0);
    closeSync(file);
    return header.toString('latin1', 0, length) === SQLITE_HEADER;
  } catch {
    return false; // a folder, a file that we may not read
  }
}
