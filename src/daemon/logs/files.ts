import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';

/**
 * A file in a folder that belongs to a pool's user, who may put there whatever the system lets him while the daemon,
 * perhaps root, reads. Nobody but the daemon may be able to replace `folder` itself.
 */
export interface PoolFile {
  readonly folder: string;
  readonly name: string;
  /** The pool's user. A file of anybody else is not read. */
  readonly ownerUid: number;
}

/** The log of a run, and where the daemon keeps its own notes about it. */
export interface LogFile extends PoolFile {
  /** Absolute path in a folder of the daemon's, to which `.idx` and `.hole` are appended. Never in `folder`. */
  readonly notes: string;
}

/** What stands in a file's place is not a plain file of the pool's user. */
export class UnsafeFileError extends Error {
  override readonly name = 'UnsafeFileError';
  readonly code = 'unsafe_file';

  constructor(file: PoolFile, reason: string, cause?: unknown) {
    super(
      `${path.join(file.folder, file.name)} is not read: ${reason}`,
      cause === undefined ? undefined : { cause },
    );
  }
}

const { O_RDONLY, O_RDWR, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** What open(2) says of things that a pool's user put in a file's place. */
const TRAPS: { readonly [code: string]: string } = {
  ELOOP: 'it is a symbolic link',
  ENOTDIR: 'its folder is not a folder, or is a symbolic link',
  EISDIR: 'it is a folder',
  ENXIO: 'it is a socket or a device',
  // O_NONBLOCK with a lease (F_SETLEASE, fcntl(2)): without it, open would sleep for /proc/sys/fs/lease-break-time.
  EAGAIN: 'its owner holds a lease on it',
  // A write to a FIFO, a mount that the user made (FUSE) or a mode that he took from a daemon that is not root.
  EACCES: 'the daemon has no permission',
  EPERM: 'the daemon has no permission',
};

/**
 * Opens a file of a pool's user without being led astray, or gives null when there is none (yet).
 *
 * - Symbolic links are not followed, neither the folder nor the file: the file is opened below the folder's
 *   descriptor (/proc/self/fd, since Node has no openat), so that nothing can be swapped in between.
 * - O_NONBLOCK: a FIFO or a leased file would block a thread of the pool for ever; what is not a regular file is refused.
 * - Its owner is the pool's user: a hard link to somebody else's file (fs.protected_hardlinks may be off) is refused,
 *   also when it is the daemon's. The daemon, which may be root, writes no file into such a folder.
 */
export async function openPoolFile(file: PoolFile, access: 'read' | 'write'): Promise<FileHandle | null> {
  refusePath(file.name);
  try {
    await using folder = await open(file.folder, FOLDER_FLAGS);
    const flags = (access === 'read' ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK;
    return await verified(file, await open(`/proc/self/fd/${folder.fd}/${file.name}`, flags));
  } catch (error) {
    return absent(file, error);
  }
}

/** The same in one turn, for reading: the descriptor, which the caller closes. For small files that are on no network. */
export function openPoolFileNow(file: PoolFile): number | null {
  refusePath(file.name);
  try {
    const folder = openSync(file.folder, FOLDER_FLAGS);
    try {
      return verifiedNow(
        file,
        openSync(`/proc/self/fd/${folder}/${file.name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
      );
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    return absent(file, error);
  }
}

function refusePath(name: string): void {
  if (path.basename(name) === name && !['', '.', '..'].includes(name)) return;
  throw new Error(`The name of a file must not be a path: ${JSON.stringify(name)}`);
}

/** Null where there is no file; else throws what stands in the way. */
function absent(file: PoolFile, error: unknown): null {
  if (!(error instanceof Error) || !('code' in error)) throw error;
  if (error.code === 'ENOENT') return null;
  const reason = TRAPS[String(error.code)];
  throw reason === undefined ? error : new UnsafeFileError(file, reason, error);
}

function verify(file: PoolFile, stats: Stats): void {
  if (!stats.isFile()) throw new UnsafeFileError(file, 'it is not a regular file');
  if (stats.uid === file.ownerUid) return;
  throw new UnsafeFileError(file, `it belongs to user ${stats.uid}, not to the pool's user ${file.ownerUid}`);
}

function verifiedNow(file: PoolFile, fd: number): number {
  try {
    verify(file, fstatSync(fd));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

async function verified(file: PoolFile, handle: FileHandle): Promise<FileHandle> {
  try {
    verify(file, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Up to `length` bytes from `position`; fewer only at the end of the file, which may have shrunk meanwhile. They lie in
 * `memory` where that is large enough.
 */
export async function readFully(
  handle: FileHandle,
  position: number,
  length: number,
  memory?: Buffer,
): Promise<Buffer> {
  const bytes = memory !== undefined && memory.length >= length ? memory : Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
