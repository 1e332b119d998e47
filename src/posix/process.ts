// Processes: who inherits orphans, who dies with whom, and how a child ended.
import { call, define, isPosixError } from './libc.ts';

// linux/prctl.h, linux/wait.h, asm-generic/resource.h, asm-generic/unistd.h: the same on x64 and arm64.
const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const PR_GET_CHILD_SUBREAPER = 37;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const RLIMIT_NOFILE = 7;
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const SIZEOF_SIGINFO = 128;
const OFFSET_SI_PID = 16;
const SIZEOF_RUSAGE = 144;

const c = {
  prctl: define<[number, number, number, number, number]>(
    'int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)',
  ),
  prctlOut: define<[number, Buffer]>('int prctl(int, void *)'),
  waitid: define<[number, number, Buffer, number]>('int waitid(int, unsigned int, void *, int)'),
  wait4: define<[number, Buffer, number, Buffer]>('int wait4(int, void *, int, void *)'),
  kill: define<[number, number]>('int kill(int, int)'),
  syscall: define<[number, number, number, number, number]>('long syscall(long, long, long, long, long)'),
  getrlimit: define<[number, Buffer]>('int getrlimit(int, void *)'),
  setrlimit: define<[number, Buffer]>('int setrlimit(int, void *)'),
  getppid: define<[]>('int getppid()'),
  exit: define<[number]>('void _exit(int)'),
  dup2: define<[number, number]>('int dup2(int, int)'),
};

/**
 * Orphaned descendants become children of this process from now on. Not inherited by fork, kept by execve:
 * PR_SET_CHILD_SUBREAPER in prctl(2). Expects no errno.
 */
export function setChildSubreaper(): void {
  call('prctl', 'PR_SET_CHILD_SUBREAPER', () => c.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

/** PR_GET_CHILD_SUBREAPER in prctl(2). Expects no errno. */
export function isChildSubreaper(): boolean {
  const value = Buffer.alloc(4);
  call('prctl', 'PR_GET_CHILD_SUBREAPER', () => c.prctlOut(PR_GET_CHILD_SUBREAPER, value));
  return value.readInt32LE() !== 0;
}

/**
 * This process gets `signal` when the thread that created it ends (0: not any more). A change of credentials
 * clears it; a parent that is gone already sends nothing, so compare getppid() afterwards: PR_SET_PDEATHSIG in
 * prctl(2). Expects EINVAL (no such signal).
 */
export function setParentDeathSignal(signal: number): void {
  call('prctl', `PR_SET_PDEATHSIG ${signal}`, () => c.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0));
}

/** getppid(2) never fails. */
export function getppid(): number {
  return c.getppid();
}

/**
 * The pid of a child that has ended and was not reaped, or null. Looks only (WNOWAIT), so /proc/PID still tells of
 * it. Always the same one until somebody reaps it. Expects ECHILD (no children: null): waitid(2).
 */
export function peekZombie(): number | null {
  const info = Buffer.alloc(SIZEOF_SIGINFO); // zeroed: si_pid stays 0 when WNOHANG finds nobody
  try {
    call('waitid', 'any child', () => c.waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT));
  } catch (error) {
    if (isPosixError(error, 'ECHILD')) return null;
    throw error;
  }
  const pid = info.readInt32LE(OFFSET_SI_PID);
  return pid === 0 ? null : pid;
}

/** How a child ended: exactly one of `code` and `signal` (a number) is not null. */
export interface ChildEnd {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: number | null;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  /**
   * Never less than what its parent had in memory when it started the child: execve(2) counts the image that it
   * replaces, and a fork's or vfork's is the parent's (exec_mmap in fs/exec.c).
   */
  readonly maxRssBytes: number;
}

/**
 * Reaps a child; `null`: it still runs ('nohang' only; 'block' stops the whole event loop until it ends).
 * Expects ECHILD (not a child of ours, or reaped by somebody else): wait4(2), getrusage(2).
 */
export function wait4(pid: number, mode: 'nohang' | 'block'): ChildEnd | null {
  const status = Buffer.alloc(4);
  const usage = Buffer.alloc(SIZEOF_RUSAGE);
  const options = mode === 'nohang' ? WNOHANG : 0;
  const reaped = call('wait4', `process ${pid}`, () => c.wait4(pid, status, options, usage));
  if (reaped === 0) return null;
  return {
    pid: reaped,
    ...decodeWaitStatus(status.readInt32LE()),
    cpuUserMs: timevalMs(usage, 0),
    cpuSystemMs: timevalMs(usage, 16),
    maxRssBytes: Number(usage.readBigInt64LE(32)) * 1024, // ru_maxrss is in KiB
  };
}

/** WIFEXITED, WEXITSTATUS and WTERMSIG of wait(2). */
export function decodeWaitStatus(status: number): { code: number | null; signal: number | null } {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal };
}

function timevalMs(usage: Buffer, at: number): number {
  return Number(usage.readBigInt64LE(at)) * 1000 + Number(usage.readBigInt64LE(at + 8)) / 1000;
}

/**
 * Sends a signal to a child that was not reaped yet: only then can the pid be nobody else's. `false`: no such
 * process. Expects ESRCH (false), EPERM, EINVAL: kill(2). Groups are left out on purpose: a pid of 0 or less throws.
 */
export function kill(pid: number, signal: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) throw new RangeError(`${pid} is not the pid of one process`);
  return delivered(() => call('kill', `process ${pid}`, () => c.kill(pid, signal)));
}

/**
 * A descriptor (close-on-exec) for a process, good also when its pid is used again. Expects ESRCH (no such process),
 * EMFILE: pidfd_open(2).
 */
export function pidfdOpen(pid: number): number {
  return call('pidfd_open', `process ${pid}`, () => c.syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0));
}

/** `false`: the process has been reaped. Expects ESRCH (false), EPERM, EINVAL: pidfd_send_signal(2). */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  return delivered(() =>
    call('pidfd_send_signal', `pidfd ${pidfd}`, () => c.syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0)),
  );
}

function delivered(send: () => number): boolean {
  try {
    send();
    return true;
  } catch (error) {
    if (isPosixError(error, 'ESRCH')) return false;
    throw error;
  }
}

export interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

/** RLIMIT_NOFILE of getrlimit(2). Expects no errno. */
export function getDescriptorLimit(): DescriptorLimit {
  const limit = Buffer.alloc(16);
  call('getrlimit', 'RLIMIT_NOFILE', () => c.getrlimit(RLIMIT_NOFILE, limit));
  return { soft: Number(limit.readBigUInt64LE(0)), hard: Number(limit.readBigUInt64LE(8)) };
}

/** Expects EPERM (hard limit raised without CAP_SYS_RESOURCE, or beyond fs.nr_open), EINVAL: setrlimit(2). */
export function setDescriptorLimit({ soft, hard }: DescriptorLimit): void {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(BigInt(soft), 0);
  limit.writeBigUInt64LE(BigInt(hard), 8);
  call('setrlimit', `RLIMIT_NOFILE ${soft}:${hard}`, () => c.setrlimit(RLIMIT_NOFILE, limit));
}

/** Raises the soft limit to `wanted`, or as far as this process may, and says how far that was. Never lowers it. */
export function raiseDescriptorLimit(wanted: number): number {
  const { soft, hard } = getDescriptorLimit();
  if (soft >= wanted) return soft;
  try {
    setDescriptorLimit({ soft: wanted, hard: Math.max(hard, wanted) });
    return wanted;
  } catch (error) {
    if (!isPosixError(error, 'EPERM')) throw error;
    const most = Math.min(hard, wanted);
    setDescriptorLimit({ soft: most, hard });
    return most;
  }
}

/** Ends this process at once: no 'exit' event, nothing flushed, no destructor: _exit(2). */
export function exitNow(code: number): never {
  c.exit(code);
  throw new Error('_exit returned');
}

/** Makes `to` another name of what `from` is, close-on-exec not set; what `to` was is closed. Expects EBADF: dup2(2). */
export function duplicateOnto(from: number, to: number): void {
  call('dup2', `descriptor ${from}`, () => c.dup2(from, to));
}
