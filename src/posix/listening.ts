// A listening socket that somebody else has made: where does it listen?
import { SocketAddress } from 'node:net';
import { call, define, isPosixError } from './libc.ts';

// Numbers of linux/socket.h and asm-generic/socket.h.
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SOCK_STREAM = 1;

const getsockname = define<[number, Buffer, Buffer]>('int getsockname(int, void *, void *)');
const getsockopt = define<[number, number, number, Buffer, Buffer]>(
  'int getsockopt(int, int, int, void *, void *)',
);

export type ListeningAddress =
  /** `host` as node:net writes it: `127.0.0.1`, `::1`. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * Where this descriptor listens; null: it is no socket, or not one that accepts stream connections, TCP or Unix with a
 * path. Expects EBADF and ENOTSOCK (null): getsockname(2), SO_ACCEPTCONN in socket(7).
 */
export function listeningAddress(fd: number): ListeningAddress | null {
  try {
    if (getInt(fd, SO_TYPE) !== SOCK_STREAM || getInt(fd, SO_ACCEPTCONN) !== 1) return null;
    const address = Buffer.alloc(128);
    const length = int32(address.length);
    call('getsockname', `descriptor ${fd}`, () => getsockname(fd, address, length));
    return parsed(address.subarray(0, length.readInt32LE(0)));
  } catch (error) {
    if (isPosixError(error, 'EBADF', 'ENOTSOCK')) return null;
    throw error;
  }
}

/** struct sockaddr_in of ip(7), sockaddr_in6 of ipv6(7), sockaddr_un of unix(7). */
function parsed(address: Buffer): ListeningAddress | null {
  const port = address.length >= 4 ? address.readUInt16BE(2) : 0;
  switch (address.readUInt16LE(0)) {
    case AF_INET:
      return { kind: 'tcp', host: address.subarray(4, 8).join('.'), port };
    case AF_INET6: {
      const groups = [8, 10, 12, 14, 16, 18, 20, 22].map((at) => address.readUInt16BE(at).toString(16));
      const { address: host } = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
      return { kind: 'tcp', host, port };
    }
    case AF_UNIX: {
      const path = address.subarray(2).toString().split('\0')[0] ?? '';
      return path === '' ? null : { kind: 'unix', path }; // abstract, or without a name
    }
    default:
      return null;
  }
}

function getInt(fd: number, option: number): number {
  const value = int32(0);
  const length = int32(4);
  call('getsockopt', `descriptor ${fd}`, () => getsockopt(fd, SOL_SOCKET, option, value, length));
  return value.readInt32LE(0);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}
