// Files that live in memory only, and what a fork takes along of memory.
import { closeSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { call, define, PosixError } from './libc.ts';

const MFD_CLOEXEC = 1;
// asm-generic/mman-common.h, asm-generic/errno-base.h.
const MADV_DOFORK = 11;
const ENOMEM = 12;
const EINVAL = 22;

const memfdCreate = define<[string, number]>('int memfd_create(const char *, unsigned int)');
const madvise = define<[number, number, number]>('int madvise(uintptr_t, size_t, int)');

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
