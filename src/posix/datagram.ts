// Unix datagrams: Node's dgram knows UDP only. A message goes to an address, and may carry descriptors.
import { closeSync } from 'node:fs';
import { sendDescriptors } from './descriptors.ts';
import { call, define } from './libc.ts';

// Numbers of linux/socket.h: the same on x64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** sun_path holds 108 bytes, a path's final NUL among them: unix(7). */
const MAX_NAME_BYTES = 107;

const socket = define<[number, number, number]>('int socket(int, int, int)');
const connect = define<[number, Buffer, number]>('int connect(int, void *, uint32_t)');
const bind = define<[number, Buffer, number]>('int bind(int, void *, uint32_t)');

/**
 * Sends one message to a Unix datagram socket, given by its path or by `@NAME` (abstract). Never waits: `false` where
 * its queue is full. Each message has a socket of its own, so a receiver that has bound its address anew is found again.
 * Expects ENOENT, ECONNREFUSED (nobody is bound there), EACCES, EMSGSIZE: unix(7), connect(2), sendmsg(2).
 */
export function sendDatagram(address: string, data: Uint8Array, fds: readonly number[] = []): boolean {
  const subject = `Unix datagram socket ${address}`;
  const fd = open(subject);
  try {
    const name = datagramAddress(address);
    call('connect', subject, () => connect(fd, name, name.length));
    return sendDescriptors(fd, data, fds);
  } finally {
    closeSync(fd);
  }
}

/** A socket that receives what is sent to this address, by receiveDescriptors(). Whoever binds a path removes the file. */
export function bindDatagram(address: string): number {
  const subject = `Unix datagram socket ${address}`;
  const fd = open(subject);
  try {
    const name = datagramAddress(address);
    call('bind', subject, () => bind(fd, name, name.length));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function open(subject: string): number {
  return call('socket', subject, () => socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/** struct sockaddr_un. An abstract name begins with a NUL and is as long as it is; a path ends with one: unix(7). */
function datagramAddress(address: string): Buffer {
  const name = Buffer.from(address);
  const isAbstract = address.startsWith('@');
  if (!isAbstract && !address.startsWith('/')) {
    throw new TypeError(`'${address}' is neither an absolute path nor an abstract name such as @name`);
  }
  if (name.length < 2 || name.length > MAX_NAME_BYTES || name.includes(0)) {
    throw new TypeError(`'${address}' can't name a Unix socket: it is too short, too long, or holds a NUL`);
  }
  if (isAbstract) name[0] = 0;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX, 0);
  return Buffer.concat([family, name, Buffer.alloc(isAbstract ? 0 : 1)]);
}
