// fork(2) of a process that has an event loop, and what its child needs at once.
import koffi from 'koffi';
import { call, define, PosixError } from './libc.ts';
import { MADV_DOFORK, madvise } from './memory.ts';

const SIG_SETMASK = 2;
/** sigset_t of glibc: 1,024 bits. */
const SIZEOF_SIGSET = 128;

/** Behind data, active_handles (padded) and the two pointers of handle_queue, where pointers have 8 bytes. */
const ACTIVE_REQUESTS = 32;
const loop = koffi.load(null).func('void *uv_default_loop()')();

const c = {
  fork: define<[]>('int fork()'),
  getpid: define<[]>('int getpid()'),
  setsid: define<[]>('int setsid()'),
  sigprocmask: define<[number, Buffer, Buffer | null]>('int sigprocmask(int, void *, void *)'),
  defaultLoop: define<[]>('uintptr_t uv_default_loop()'),
  loopFork: define<[number]>('int uv_loop_fork(uintptr_t)'),
};

/**
 * 0 in the child, which has this thread only. A page that V8 has taken since `inheritPages` it would not have, and its first
 * write there would be its end: so this range is marked once more, and no object is made between that and the fork. Expects
 * EAGAIN (too many processes), ENOMEM: fork(2).
 */
export function forkInheriting(address: number, bytes: number): number {
  madvise(address, bytes, MADV_DOFORK);
  const pid = c.fork();
  if (pid >= 0) return pid;
  throw new PosixError('fork', koffi.errno(), 'this process');
}

/**
 * Gives a forked child's event loop an epoll set, a wake-up descriptor and a signal pipe of its own; until then it shares
 * those of its parent: uv_loop_fork() in https://docs.libuv.org/en/v1.x/loop.html. `node` exports libuv's symbols.
 */
export function forkLoop(): void {
  call('uv_loop_fork', 'the default loop', () => c.loopFork(c.defaultLoop()));
}

/**
 * How many requests of the default loop are under way: in the threadpool, whether their thread works, sleeps or is done
 * and nobody has heard of it, connections, writes. `active_reqs` of uv_loop_t, whose first fields are public and have been
 * these in all of libuv 1: include/uv.h.
 */
export function requestsUnderWay(): number {
  return koffi.decode(loop, ACTIVE_REQUESTS, 'unsigned int');
}

/** The pid as the kernel knows it; process.pid is what it was when Node started. */
export function getpid(): number {
  return c.getpid();
}

/** This process leads a session of its own from now on. Expects EPERM (it leads a group): setsid(2). */
export function setSession(): void {
  call('setsid', 'this process', () => c.setsid());
}

/** Which signals wait; as sigprocmask(2) has it. */
export type SignalMask = Buffer & { readonly SignalMask: never };

export const ALL_SIGNALS = Buffer.alloc(SIZEOF_SIGSET, 0xff) as SignalMask;
export const NO_SIGNALS = Buffer.alloc(SIZEOF_SIGSET) as SignalMask;

/** Sets this thread's mask and says what it was. SIGKILL and SIGSTOP are never blocked. Expects no errno: sigprocmask(2). */
export function setSignalMask(mask: SignalMask): SignalMask {
  const before = Buffer.alloc(SIZEOF_SIGSET);
  call('sigprocmask', 'SIG_SETMASK', () => c.sigprocmask(SIG_SETMASK, mask, before));
  return before as SignalMask;
}
