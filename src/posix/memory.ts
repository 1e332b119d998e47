// Files that live in memory only.
import { closeSync, writeSync } from 'node:fs';
import { call, define } from './libc.ts';

const MFD_CLOEXEC = 1;

const memfdCreate = define<[string, number]>('int memfd_create(const char *, unsigned int)');

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
