// Readers of /proc: pure parsers, and thin functions that fetch the text. A process that is gone is null, not an error.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { SocketAddress } from 'node:net';

export interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  /** R running, S asleep, D in uninterruptible sleep, Z zombie, …: proc_pid_stat(5). */
  readonly state: string;
  readonly ppid: number;
  /** Clock ticks since boot. With the pid it names a process for as long as the machine is up. */
  readonly startTime: number;
}

/** /proc/PID/stat. The name may hold spaces and parentheses, so fields are counted from the last `)`. */
export function parseStat(text: string): ProcessStat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' '); // fields[0] is field 3
  const [state, ppid, startTime] = [fields[0], fields[1], fields[19]];
  if (open < 0 || state === undefined || ppid === undefined || startTime === undefined) {
    throw new Error(`not a line of /proc/PID/stat: ${text}`);
  }
  return {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    state,
    ppid: Number(ppid),
    startTime: Number(startTime),
  };
}

/** What /proc/PID/stat says; of a zombie too. Null: no such process. */
export function processStat(pid: number): ProcessStat | null {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** Field 22 of /proc/PID/stat. */
export function startTime(pid: number): number | null {
  return processStat(pid)?.startTime ?? null;
}

/** Parent of a process. */
export function ppid(pid: number): number | null {
  return processStat(pid)?.ppid ?? null;
}

/** Children of all threads of a process, zombies too; exact only while none of them comes or goes: proc_pid_task(5). */
export function children(pid: number): number[] {
  return listIfThere(`/proc/${pid}/task`).flatMap((tid) =>
    (readIfThere(`/proc/${pid}/task/${tid}/children`) ?? '')
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
}

export interface Thread {
  readonly tid: number;
  /** At most 15 bytes. */
  readonly name: string;
  readonly state: string;
}

export function threads(pid: number): Thread[] {
  return listIfThere(`/proc/${pid}/task`).flatMap((tid) => {
    const text = readIfThere(`/proc/${pid}/task/${tid}/stat`);
    if (text === null) return [];
    const { name, state } = parseStat(text);
    return [{ tid: Number(tid), name, state }];
  });
}

export interface Descriptor {
  readonly fd: number;
  /** What it points to: a path, `socket:[INODE]`, `pipe:[INODE]`, `anon_inode:[eventpoll]`, `/memfd:NAME (deleted)`. */
  readonly target: string;
  /** Flags of open(2), with O_CLOEXEC. */
  readonly flags: number;
  readonly access: 'read' | 'write' | 'read-write';
  /** Inode of a socket, else null. */
  readonly socket: number | null;
}

const O_ACCMODE = 3;

/** /proc/PID/fdinfo/FD: the line `flags:`, in octal. */
export function parseFlags(fdinfo: string): number {
  const octal = /^flags:\s*([0-7]+)$/m.exec(fdinfo)?.[1];
  if (octal === undefined) throw new Error(`no flags in fdinfo: ${fdinfo}`);
  return Number.parseInt(octal, 8);
}

/** Open descriptors of a process, in order. Of somebody else's process only with ptrace rights (EACCES is thrown). */
export function descriptors(pid: number | 'self'): Descriptor[] {
  return listIfThere(`/proc/${pid}/fd`)
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((fd) => {
      const target = ifThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
      const fdinfo = readIfThere(`/proc/${pid}/fdinfo/${fd}`);
      if (target === null || fdinfo === null) return []; // closed meanwhile
      const flags = parseFlags(fdinfo);
      const access = (['read', 'write', 'read-write'] as const)[flags & O_ACCMODE] ?? 'read-write';
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      return [{ fd, target, flags, access, socket: inode === undefined ? null : Number(inode) }];
    });
}

export interface TcpEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface TcpSocket {
  readonly inode: number;
  readonly local: TcpEndpoint;
  /** Null while it listens. */
  readonly peer: TcpEndpoint | null;
}

const TCP_LISTEN = '0A';

/** /proc/PID/net/tcp and tcp6: proc_pid_net(5). IPv4 in IPv6 (`::ffff:1.2.3.4`) is shown as IPv4. */
export function parseTcpTable(text: string): TcpSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
      if (local === undefined || remote === undefined || inode === undefined) return [];
      const peer = state === TCP_LISTEN ? null : parseEndpoint(remote);
      return [{ inode: Number(inode), local: parseEndpoint(local), peer }];
    });
}

/** The TCP socket with this inode, seen in the network namespace of a process; null: it is not a TCP socket. */
export function tcpSocket(pid: number | 'self', inode: number): TcpSocket | null {
  return inTables(pid, inode, ['tcp', 'tcp6']);
}

/** The same of UDP, whose table has the same columns. `peer` has port 0 while it is not connected. */
export function udpSocket(pid: number | 'self', inode: number): TcpSocket | null {
  return inTables(pid, inode, ['udp', 'udp6']);
}

function inTables(pid: number | 'self', inode: number, tables: readonly string[]): TcpSocket | null {
  for (const table of tables) {
    const text = readIfThere(`/proc/${pid}/net/${table}`);
    const found = parseTcpTable(text ?? '').find((socket) => socket.inode === inode);
    if (found !== undefined) return found;
  }
  return null;
}

export interface UnixSocket {
  readonly inode: number;
  readonly isListening: boolean;
  /** What it was bound to: a path, or `@` and a name (abstract); null: nothing, as most clients are. */
  readonly path: string | null;
}

const SO_ACCEPTCON = 0x10000;

/** /proc/PID/net/unix: proc_pid_net(5). */
export function parseUnixTable(text: string): UnixSocket[] {
  return [...text.matchAll(/^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+)(?: (.*))?$/gm)].map(
    ([, flags = '', inode, path]) => ({
      inode: Number(inode),
      isListening: (Number.parseInt(flags, 16) & SO_ACCEPTCON) !== 0,
      path: path ?? null,
    }),
  );
}

/** The Unix socket with this inode; null: it is none. */
export function unixSocket(pid: number | 'self', inode: number): UnixSocket | null {
  const text = readIfThere(`/proc/${pid}/net/unix`);
  return parseUnixTable(text ?? '').find((socket) => socket.inode === inode) ?? null;
}

/** `0100007F:7A69`: words of 32 bits in the machine's (little-endian) order, then the port. */
function parseEndpoint(text: string): TcpEndpoint {
  const [hex = '', port = ''] = text.split(':');
  const bytes = Buffer.from(hex, 'hex').swap32();
  if (bytes.length === 4) return { address: bytes.join('.'), port: Number.parseInt(port, 16) };
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => bytes.readUInt16BE(at).toString(16)).join(':');
  const { address } = new SocketAddress({ address: groups, family: 'ipv6' });
  return { address: address.replace(/^::ffff:(?=\d+\.)/, ''), port: Number.parseInt(port, 16) };
}

/** Changes with every boot, so that a start time can't be taken for one of an earlier boot: random(4). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function readIfThere(path: string): string | null {
  return ifThere(() => readFileSync(path, 'utf8'));
}

function listIfThere(path: string): string[] {
  return ifThere(() => readdirSync(path)) ?? [];
}

/** ENOENT: the process was reaped or the descriptor closed; ESRCH: it was reaped while its file was open: proc(5). */
function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
