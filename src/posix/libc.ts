// The C library through koffi, and the one error type of its calls.
import { constants } from 'node:os';
import koffi from 'koffi';

// dlopen(NULL) searches what the process has loaded already, so glibc and musl both work: dlopen(3).
const library = koffi.load(null);

const EINTR = 4;
// EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP share a number on Linux: the first of each is the name. libuv's own
// table (util.getSystemErrorMap) lacks ECHILD and others.
const names = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, errno]) => [errno, name]),
);
const strerror = library.func('const char *strerror(int)') as (errno: number) => string;

/**
 * A failed system call. `errno` is positive, as errno(3) has it; `code` is its name ('EAGAIN').
 * The message names the call and what it was about: `bind: Address already in use (Unix socket /run/x.sock)`.
 */
export class PosixError extends Error {
  override readonly name = 'PosixError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, subject: string) {
    super(`${syscall}: ${strerror(errno)} (${subject})`);
    this.code = names.get(errno) ?? `E${errno}`;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** Binds a C function by its prototype. Buffers go where it says `void *`: koffi passes their address. */
export function define<Args extends unknown[]>(prototype: string): (...args: Args) => number {
  return library.func(prototype) as (...args: Args) => number;
}

/**
 * Carries out a call that reports failure as -1 and errno. Repeats it after EINTR (signal(7)); any other errno
 * becomes a PosixError. errno is read right after the call: nothing else may run in between.
 */
export function call(syscall: string, subject: string, invoke: () => number): number {
  for (;;) {
    const result = invoke();
    if (result >= 0) return result;
    const errno = koffi.errno();
    if (errno !== EINTR) throw new PosixError(syscall, errno, subject);
  }
}

/** Is this a PosixError with one of these codes? */
export function isPosixError(error: unknown, ...codes: string[]): error is PosixError {
  return error instanceof PosixError && codes.includes(error.code);
}
