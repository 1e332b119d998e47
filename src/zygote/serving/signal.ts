import { isPosixError, kill } from '../../posix/index.ts';

/** Signals a child that was not reaped. EPERM: it became another user's (setuid). EINVAL: no such signal. */
export function signal(pid: number, number: number): boolean {
  try {
    return kill(pid, number);
  } catch (error) {
    if (isPosixError(error, 'EPERM', 'EINVAL')) return false; // nobody here can do anything about it
    throw error;
  }
}
