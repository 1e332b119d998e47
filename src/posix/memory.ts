// Files that live in memory only, what a fork takes along of memory, and where memory lies.
import { closeSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { call, define, PosixError } from './libc.ts';

const MFD_CLOEXEC = 1;
// asm-generic/mman-common.h, asm-generic/errno-base.h.
export const MADV_DOFORK = 11;
const MADV_COLLAPSE = 25;
const PROT_NONE = 0;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_FIXED_NOREPLACE = 0x100000;
const ENOMEM = 12;
const EINVAL = 22;

const memfdCreate = define<[string, number]>('int memfd_create(const char *, unsigned int)');
const mmap = define<[number, number, number, number, number, number]>(
  'int64_t mmap(uintptr_t, size_t, int, int, int, int64_t)',
);
const munmap = define<[number, number]>('int munmap(uintptr_t, size_t)');
export const madvise = define<[number, number, number]>('int madvise(uintptr_t, size_t, int)');

/**
 * A descriptor (close-on-exec, read and write, at position 0) of a nameless file with this content: the standard input
 * of a child, for example. `name` shows in /proc/PID/fd only. Expects EMFILE, ENFILE, ENOMEM: memfd_create(2).
 */
export function memfd(name: string, content: string | Uint8Array): number {
  const bytes = Buffer.from(content);
  const fd = call('memfd_create', name, () => memfdCreate(name, MFD_CLOEXEC));
  try {
    // A positional write is pwrite(2), which leaves the position at 0.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Children get the pages of this range at a fork, also where MADV_DONTFORK has said otherwise; holes in it don't matter
 * (ENOMEM comes after all that is mapped is done). `false`: a mapping in it can't be inherited (EINVAL: vvar, io_uring and
 * other memory of devices), and what lies behind that was not reached: madvise(2), madvise_walk_vmas in mm/madvise.c.
 */
export function inheritPages(address: number, bytes: number): boolean {
  if (madvise(address, bytes, MADV_DOFORK) === 0) return true;
  const errno = koffi.errno();
  if (errno === ENOMEM) return true;
  if (errno === EINVAL) return false;
  throw new PosixError('madvise', errno, `${bytes} bytes at ${address}`);
}

/**
 * Takes this range of the address space, which costs no memory, so that nothing else is placed there. `false`: something is
 * (EEXIST), the kernel has no such addresses, or RLIMIT_AS forbids it (ENOMEM): mmap(2).
 */
export function reserveAddresses(address: number, bytes: number): boolean {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  const got = Number(mmap(address, bytes, PROT_NONE, flags, -1, 0));
  if (got === address) return true;
  if (got >= 0) releaseAddresses(got, bytes); // a kernel before 4.17 takes the address for a wish
  return false;
}

/** Gives them back, with all that is mapped there. Expects EINVAL (no whole pages): munmap(2). */
export function releaseAddresses(address: number, bytes: number): void {
  call('munmap', `${bytes} bytes at ${address}`, () => munmap(address, bytes));
}

/**
 * Makes the pages of this range a huge one, whatever the machine's default for them is; what it shared with other processes
 * is copied. Where that can't be they stay as they are: nothing is mapped, a page is pinned, there is no memory in one piece,
 * Linux before 6.1: MADV_COLLAPSE in madvise(2).
 */
export function collapsePages(address: number, bytes: number): void {
  madvise(address, bytes, MADV_COLLAPSE);
}
