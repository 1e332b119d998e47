// Sockets that Node can't make: bound and listening before any event loop owns them, so that they can be passed on.
import { closeSync, constants, openSync } from 'node:fs';
import { isIP } from 'node:net';
import { endianness } from 'node:os';
import { basename, dirname } from 'node:path';
import { call, define, isPosixError } from './libc.ts';

// Numbers of include/uapi/asm-generic and linux/socket.h: the same on x64 and arm64.
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_PEERCRED = 17;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** sun_path holds 108 bytes with its final NUL: unix(7). */
const MAX_UNIX_PATH_BYTES = 107;

const c = {
  socket: define<[number, number, number]>('int socket(int, int, int)'),
  bind: define<[number, Buffer, number]>('int bind(int, void *, uint32_t)'),
  connect: define<[number, Buffer, number]>('int connect(int, void *, uint32_t)'),
  listen: define<[number, number]>('int listen(int, int)'),
  setsockopt: define<[number, number, number, Buffer, number]>(
    'int setsockopt(int, int, int, void *, uint32_t)',
  ),
  getsockopt: define<[number, number, number, Buffer, Buffer]>(
    'int getsockopt(int, int, int, void *, void *)',
  ),
  getsockname: define<[number, Buffer, Buffer]>('int getsockname(int, void *, void *)'),
  socketpair: define<[number, number, number, Buffer]>('int socketpair(int, int, int, void *)'),
  umask: define<[number]>('int umask(int)'),
};

if (endianness() !== 'LE') throw new Error('src/posix knows little-endian machines only (x64, arm64)');

export interface ListenTcpOptions {
  /** An IPv4 or IPv6 address. `::` takes IPv4 too, as Node's own listen() does. */
  readonly host: string;
  /** 0: the kernel chooses; ask boundPort(). */
  readonly port: number;
  readonly backlog: number;
}

export interface ListenUnixOptions {
  readonly path: string;
  /** Permissions of the socket file, for example 0o660. */
  readonly mode: number;
  readonly backlog: number;
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * A listening TCP socket (close-on-exec). Expects EADDRINUSE (another listener), EADDRNOTAVAIL (no such address
 * here), EACCES (a port below 1024): ip(7), bind(2), listen(2). SO_REUSEADDR passes over connections in TIME_WAIT only.
 */
export function listenTcp({ host, port, backlog }: ListenTcpOptions): number {
  const subject = `TCP ${host.includes(':') ? `[${host}]` : host}:${port}`;
  const address = tcpAddress(host, port);
  const family = address.readUInt16LE(0);
  const fd = call('socket', subject, () => c.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return closingOnError(fd, () => {
    setInt(fd, SOL_SOCKET, SO_REUSEADDR, 1, subject);
    if (family === AF_INET6) setInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, subject);
    call('bind', subject, () => c.bind(fd, address, address.length));
    call('listen', subject, () => c.listen(fd, backlog));
  });
}

/**
 * A listening Unix stream socket (close-on-exec). Expects EADDRINUSE (the file exists, whether somebody listens or
 * not: see probeUnix), ENOENT and EACCES (the folder): unix(7), bind(2). The file has its mode from the first moment
 * on, since bind(2) makes it with 0777 less the umask (the whole process has that umask for this one call). Whoever binds removes the file.
 */
export function listenUnix({ path, mode, backlog }: ListenUnixOptions): number {
  const subject = `Unix socket ${path}`;
  const fd = call('socket', subject, () => c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return closingOnError(fd, () => {
    withUnixAddress(path, (address) => {
      const before = c.umask(0o777 & ~mode);
      try {
        call('bind', subject, () => c.bind(fd, address, address.length));
      } finally {
        c.umask(before);
      }
    });
    call('listen', subject, () => c.listen(fd, backlog));
  });
}

export type UnixProbe =
  | { readonly state: 'absent' }
  /** Nobody listens: the file is left over, or is not a socket at all (connect(2) says ECONNREFUSED for both). */
  | { readonly state: 'stale' }
  | { readonly state: 'live'; readonly pid: number | null };

/**
 * Does anybody listen on this Unix socket? Expects ENOENT, ECONNREFUSED, EAGAIN (its accept queue is full, so it
 * lives); EACCES is thrown: unix(7), connect(2). `pid` is of whoever called listen(2).
 */
export function probeUnix(path: string): UnixProbe {
  const subject = `Unix socket ${path}`;
  const fd = call('socket', subject, () => c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  try {
    withUnixAddress(path, (address) => {
      call('connect', subject, () => c.connect(fd, address, address.length));
    });
    return { state: 'live', pid: getPeerCredentials(fd).pid };
  } catch (error) {
    if (isPosixError(error, 'ENOENT')) return { state: 'absent' };
    if (isPosixError(error, 'ECONNREFUSED')) return { state: 'stale' };
    if (isPosixError(error, 'EAGAIN')) return { state: 'live', pid: null };
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** The port that a TCP socket is bound to. Expects EBADF, ENOTSOCK: getsockname(2). */
export function boundPort(fd: number): number {
  const address = Buffer.alloc(128);
  const length = int32(address.length);
  call('getsockname', `descriptor ${fd}`, () => c.getsockname(fd, address, length));
  return address.readUInt16BE(2);
}

/**
 * Who is at the other end of a Unix socket, as of its connect(2) or listen(2). Expects EBADF, ENOTSOCK: SO_PEERCRED
 * in unix(7).
 */
export function getPeerCredentials(fd: number): PeerCredentials {
  const credentials = Buffer.alloc(12);
  const length = int32(credentials.length);
  call('getsockopt', `descriptor ${fd}`, () =>
    c.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length),
  );
  const [pid, uid, gid] = [0, 4, 8].map((at) => credentials.readUInt32LE(at)) as [number, number, number];
  return { pid, uid, gid };
}

const pairTypes = { stream: SOCK_STREAM, dgram: SOCK_DGRAM, seqpacket: SOCK_SEQPACKET } as const;

/** Two connected Unix sockets (close-on-exec, blocking). Expects EMFILE, ENFILE: socketpair(2). */
export function socketpair(type: keyof typeof pairTypes): [number, number] {
  const pair = Buffer.alloc(8);
  call('socketpair', type, () => c.socketpair(AF_UNIX, pairTypes[type] | SOCK_CLOEXEC, 0, pair));
  return [pair.readInt32LE(0), pair.readInt32LE(4)];
}

/** struct sockaddr_in of ip(7), struct sockaddr_in6 of ipv6(7). */
function tcpAddress(host: string, port: number): Buffer {
  const version = isIP(host);
  if (version === 4) {
    const address = Buffer.alloc(16);
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.set(host.split('.').map(Number), 4);
    return address;
  }
  if (version === 6 && !host.includes('%')) {
    const address = Buffer.alloc(28);
    address.writeUInt16LE(AF_INET6, 0);
    address.writeUInt16BE(port, 2);
    ipv6Groups(host).forEach((group, i) => {
      address.writeUInt16BE(group, 8 + 2 * i);
    });
    return address;
  }
  throw new TypeError(`'${host}' is not an IP address`);
}

function ipv6Groups(host: string): number[] {
  // The URL parser has the dotted tail (::ffff:1.2.3.4) turned into groups: url.spec.whatwg.org, 'IPv6 serializer'.
  const text = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right].map((group) => Number.parseInt(group, 16));
}

/** struct sockaddr_un; a path that is too long goes by way of a descriptor of its folder: proc(5), /proc/self/fd. */
function withUnixAddress(path: string, use: (address: Buffer) => void): void {
  if (Buffer.byteLength(path) <= MAX_UNIX_PATH_BYTES) {
    use(unixAddress(path));
    return;
  }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    use(unixAddress(`/proc/self/fd/${folder}/${basename(path)}`));
  } finally {
    closeSync(folder);
  }
}

function unixAddress(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length === 0 || name.length > MAX_UNIX_PATH_BYTES || name.includes(0)) {
    throw new TypeError(
      `'${path}' can't name a Unix socket: its file name is empty, too long (90 bytes are safe) or holds a NUL`,
    );
  }
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  address.set(name, 2);
  return address;
}

function setInt(fd: number, level: number, option: number, value: number, subject: string): void {
  call('setsockopt', subject, () => c.setsockopt(fd, level, option, int32(value), 4));
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

function closingOnError(fd: number, prepare: () => void): number {
  try {
    prepare();
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
