// Descriptors on their way from one process to another (SCM_RIGHTS), and waiting for a word without the event loop.
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { call, define, isPosixError, PosixError } from './libc.ts';

// Numbers of linux/socket.h and asm-generic/poll.h; struct msghdr and cmsghdr as on 64-bit machines: cmsg(3).
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 8;
const SIZEOF_CMSGHDR = 16;
const POLLIN = 1;
const EMFILE = 24;
const EMSGSIZE = 90;

/** The kernel takes no more descriptors in one message: SCM_MAX_FD in include/net/scm.h, unix(7). */
export const MAX_DESCRIPTORS = 253;
/** The longest message that receiveDescriptors() takes. */
export const MAX_MESSAGE_BYTES = 65_536;

koffi.struct('iovec', { base: 'void *', length: 'size_t' });
koffi.struct('msghdr', {
  name: 'void *',
  nameLength: 'uint32_t',
  iov: 'iovec *',
  iovLength: 'size_t',
  control: 'void *',
  controlLength: 'size_t',
  flags: 'int',
});
const sendmsg = define<[number, object, number]>('long sendmsg(int, msghdr *, int)');
const recvmsg = define<[number, object, number]>('long recvmsg(int, _Inout_ msghdr *, int)');
const poll = define<[Buffer, number, number]>('int poll(void *, unsigned long, int)');

/**
 * Sends one message with copies of these descriptors over a seqpacket socket (see socketpair). Never waits: `false`
 * where there is no room for it now. Expects EAGAIN (false), EPIPE and ECONNRESET (the other side is gone),
 * ETOOMANYREFS (more are under way than RLIMIT_NOFILE allows): sendmsg(2), unix(7).
 */
export function sendDescriptors(socket: number, data: Uint8Array, fds: readonly number[]): boolean {
  if (data.length === 0 || data.length > MAX_MESSAGE_BYTES || fds.length > MAX_DESCRIPTORS) {
    throw new RangeError(`a message of ${data.length} bytes with ${fds.length} descriptors`);
  }
  const message = header(Buffer.from(data), fds.length === 0 ? null : rights(fds));
  try {
    call('sendmsg', `descriptor ${socket}`, () => sendmsg(socket, message, MSG_DONTWAIT | MSG_NOSIGNAL));
    return true;
  } catch (error) {
    if (isPosixError(error, 'EAGAIN')) return false;
    throw error;
  }
}

export interface ReceivedDescriptors {
  readonly data: Buffer;
  /** Close-on-exec. */
  readonly fds: readonly number[];
}

/**
 * The next message of a seqpacket socket, waiting for it (look with isReadable() first to not wait). Null: the other side
 * is gone. Expects EMFILE (thrown also where the kernel dropped descriptors for want of room, which it says by
 * MSG_CTRUNC only), ECONNRESET: recvmsg(2).
 */
export function receiveDescriptors(socket: number): ReceivedDescriptors | null {
  const data = Buffer.allocUnsafeSlow(MAX_MESSAGE_BYTES);
  const control = Buffer.alloc(SIZEOF_CMSGHDR + 4 * (MAX_DESCRIPTORS + 1));
  const message = header(data, control);
  const subject = `descriptor ${socket}`;
  const length = Number(call('recvmsg', subject, () => recvmsg(socket, message, MSG_CMSG_CLOEXEC)));
  const fds = descriptorsIn(control, Number(message.controlLength));
  if ((message.flags & (MSG_CTRUNC | MSG_TRUNC)) !== 0) {
    for (const fd of fds) closeSync(fd);
    throw new PosixError('recvmsg', (message.flags & MSG_CTRUNC) !== 0 ? EMFILE : EMSGSIZE, subject);
  }
  return length === 0 ? null : { data: data.subarray(0, length), fds };
}

function header(data: Buffer, control: Buffer | null) {
  return {
    name: null,
    nameLength: 0,
    iov: [{ base: data, length: data.length }],
    iovLength: 1,
    control,
    controlLength: control?.length ?? 0,
    flags: 0,
  };
}

function rights(fds: readonly number[]): Buffer {
  const length = SIZEOF_CMSGHDR + 4 * fds.length;
  const control = Buffer.alloc((length + 7) & ~7);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  fds.forEach((fd, i) => {
    control.writeInt32LE(fd, SIZEOF_CMSGHDR + 4 * i);
  });
  return control;
}

function descriptorsIn(control: Buffer, length: number): number[] {
  if (length < SIZEOF_CMSGHDR) return [];
  const count = (Number(control.readBigUInt64LE(0)) - SIZEOF_CMSGHDR) / 4;
  return Array.from({ length: count }, (_, i) => control.readInt32LE(SIZEOF_CMSGHDR + 4 * i));
}

/**
 * Waits up to `ms` (-1: for ever; 0: looks only) until there is something to read, or the other side is gone; nothing else
 * happens in this process meanwhile. Expects no errno: poll(2).
 */
export function isReadable(fd: number, ms: number): boolean {
  const until = performance.now() + ms;
  const set = pollSet(fd);
  for (;;) {
    // poll(2) is not started again after a signal (signal(7)): the time that is left is counted anew.
    const left = ms < 0 ? -1 : Math.max(0, Math.ceil(until - performance.now()));
    const ready = poll(set, 1, left);
    if (ready >= 0) return ready > 0;
    if (koffi.errno() !== 4) throw new PosixError('poll', koffi.errno(), `descriptor ${fd}`);
  }
}

/** struct pollfd: the descriptor, what is asked, what is answered. */
function pollSet(fd: number): Buffer {
  const set = Buffer.alloc(8);
  set.writeInt32LE(fd, 0);
  set.writeInt16LE(POLLIN, 4);
  return set;
}
