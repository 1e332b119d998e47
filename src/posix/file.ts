// What Node's fs lacks: locks, holes, close-on-exec.
import { call, define, isPosixError } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

const c = {
  flock: define<[number, number]>('int flock(int, int)'),
  fallocate: define<[number, number, number, number]>('int fallocate(int, int, int64_t, int64_t)'),
  fcntl: define<[number, number, number]>('int fcntl(int, int, int)'),
};

/**
 * Takes the exclusive lock of an open file; `false`: another open file has it. It belongs to the open file, not to the
 * process: it goes with the last copy of this descriptor, also one that a child inherited. Expects EWOULDBLOCK
 * (false), EBADF, ENOLCK: flock(2).
 */
export function flockExclusive(fd: number): boolean {
  try {
    call('flock', `descriptor ${fd}`, () => c.flock(fd, LOCK_EX | LOCK_NB));
    return true;
  } catch (error) {
    if (isPosixError(error, 'EAGAIN')) return false; // EWOULDBLOCK is the same number on Linux
    throw error;
  }
}

/**
 * Gives the blocks of this range back to the file system; it reads as zeros, the size stays. Expects ENOTSUP (the
 * file system can't), ENODEV (not a regular file), EBADF (not open for writing): fallocate(2).
 */
export function punchHole(fd: number, offset: number, length: number): void {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  call('fallocate', `descriptor ${fd}`, () => c.fallocate(fd, mode, offset, length));
}

/** Expects EBADF: F_GETFD in fcntl(2). */
export function isCloseOnExec(fd: number): boolean {
  return (call('fcntl', `descriptor ${fd}`, () => c.fcntl(fd, F_GETFD, 0)) & FD_CLOEXEC) !== 0;
}

/** Does a program that this process starts get the descriptor? `inherit`: yes. Expects EBADF: F_SETFD in fcntl(2). */
export function setCloseOnExec(fd: number, onExec: 'close' | 'inherit'): void {
  call('fcntl', `descriptor ${fd}`, () => c.fcntl(fd, F_SETFD, onExec === 'close' ? FD_CLOEXEC : 0));
}
