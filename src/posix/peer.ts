// A Unix socket of another process: whom is it connected to? /proc names what a socket is bound to, never its peer.
import { closeSync } from 'node:fs';
import { call, define, isPosixError } from './libc.ts';
import { pidfdOpen } from './process.ts';

// asm-generic/unistd.h and linux/socket.h: the same on x64 and arm64.
const SYS_PIDFD_GETFD = 438;
const AF_UNIX = 1;

const c = {
  syscall: define<[number, number, number, number]>('long syscall(long, long, long, long)'),
  getpeername: define<[number, Buffer, Buffer]>('int getpeername(int, void *, void *)'),
};

/**
 * The path that the peer of this Unix socket is bound to; null: it has none, or we may not ask. A copy of the descriptor
 * is ours for the moment, which changes nothing for its owner. Expects EPERM and ENOSYS (Linux before 5.6, a container
 * that forbids it), EBADF and ESRCH (closed or ended meanwhile): pidfd_getfd(2); ENOTCONN: getpeername(2).
 */
export function unixPeer(pid: number, fd: number): string | null {
  const owned: number[] = [];
  const own = (descriptor: number): number => {
    owned.push(descriptor);
    return descriptor;
  };
  const subject = `descriptor ${fd} of process ${pid}`;
  try {
    const process = own(pidfdOpen(pid));
    const socket = own(call('pidfd_getfd', subject, () => c.syscall(SYS_PIDFD_GETFD, process, fd, 0)));
    const address = Buffer.alloc(128);
    const length = Buffer.alloc(4);
    length.writeInt32LE(address.length);
    call('getpeername', subject, () => c.getpeername(socket, address, length));
    if (address.readUInt16LE(0) !== AF_UNIX) return null;
    return pathOf(address.subarray(2, length.readInt32LE(0)));
  } catch (error) {
    if (isPosixError(error, 'EPERM', 'ENOSYS', 'EBADF', 'ESRCH', 'ENOTCONN')) return null;
    throw error;
  } finally {
    for (const descriptor of owned) closeSync(descriptor);
  }
}

/** sun_path of unix(7): an abstract name begins with NUL, which is written `@` as /proc/net/unix does. */
function pathOf(bytes: Buffer): string | null {
  const isAbstract = bytes[0] === 0 && bytes.length > 1;
  const text =
    bytes
      .subarray(isAbstract ? 1 : 0)
      .toString()
      .split('\0')[0] ?? '';
  if (text === '') return null;
  return isAbstract ? `@${text}` : text;
}
