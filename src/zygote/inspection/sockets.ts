import { type TcpEndpoint, tcpSocket, udpSocket, unixPeer, unixSocket } from '../../posix/index.ts';
import type { Shared } from './descriptors.ts';

/** Who usually listens on a port. A guess, and told as one. */
const SERVICES: Readonly<Record<number, string>> = {
  25: 'SMTP',
  53: 'DNS',
  80: 'HTTP',
  389: 'LDAP',
  443: 'HTTPS',
  465: 'SMTP',
  587: 'SMTP',
  1433: 'SQL Server',
  1521: 'Oracle',
  2181: 'ZooKeeper',
  3306: 'MySQL or MariaDB',
  4222: 'NATS',
  5432: 'PostgreSQL',
  5672: 'RabbitMQ',
  6379: 'Redis',
  6432: 'PgBouncer',
  8123: 'ClickHouse',
  9042: 'Cassandra',
  9092: 'Kafka',
  9200: 'Elasticsearch',
  11211: 'memcached',
  27017: 'MongoDB',
};

/** The same of paths, by a part of them. */
const SOCKET_PATHS: readonly (readonly [path: RegExp, service: string])[] = [
  [/\.s\.PGSQL\.\d+$/, 'PostgreSQL'],
  [/mysqld?(x)?\.sock$|mariadb.*\.sock$/, 'MySQL or MariaDB'],
  [/redis|valkey/, 'Redis'],
  [/memcached/, 'memcached'],
  [/\/docker\.sock$/, 'Docker'],
  [/\/systemd\/journal\/|^\/dev\/log$/, 'the system’s log'],
];

const CONNECTION = 'runs would write to it at once and read one another’s answers';
const LISTENER = 'runs would take connections from one another';

export function describeSocket(pid: number, fd: number, inode: number): Shared {
  return (
    describeTcp(pid, inode) ??
    describeUdp(pid, inode) ??
    describeUnix(pid, fd, inode) ?? { name: 'socket', what: 'a socket open', why: '' }
  );
}

function describeTcp(pid: number, inode: number): Shared | null {
  const socket = tcpSocket(pid, inode);
  if (socket === null) return null;
  if (socket.peer === null) {
    const at = text(socket.local);
    return { name: `listen:${at}`, what: `a listening socket on ${at} open`, why: LISTENER };
  }
  const peer = text(socket.peer);
  return {
    name: `tcp:${peer}`,
    what: `a TCP connection to ${peer}${guess(SERVICES[socket.peer.port])} open`,
    why: CONNECTION,
  };
}

function describeUdp(pid: number, inode: number): Shared | null {
  const socket = udpSocket(pid, inode);
  if (socket === null) return null;
  const { local, peer } = socket;
  if (peer === null || peer.port === 0)
    return { name: `udp:${text(local)}`, what: `a UDP socket on ${text(local)} open`, why: '' };
  return {
    name: `udp:${text(peer)}`,
    what: `a UDP socket to ${text(peer)}${guess(SERVICES[peer.port])} open`,
    why: '',
  };
}

function describeUnix(pid: number, fd: number, inode: number): Shared | null {
  const socket = unixSocket(pid, inode);
  if (socket === null) return null;
  if (socket.isListening) {
    const at = socket.path ?? '';
    return { name: `listen:${at}`, what: `a listening socket on ${at} open`, why: LISTENER };
  }
  const path = unixPeer(pid, fd) ?? socket.path;
  if (path === null) return { name: 'socket', what: 'a Unix socket open, to a process or itself', why: '' };
  const service = SOCKET_PATHS.find(([known]) => known.test(path))?.[1];
  return { name: `unix:${path}`, what: `a connection to ${path}${guess(service)} open`, why: CONNECTION };
}

function text({ address, port }: TcpEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function guess(service: string | undefined): string {
  return service === undefined ? '' : ` (${service}?)`;
}
