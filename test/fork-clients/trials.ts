import type { Server } from './servers.ts';

/**
 * A client library, in a bootstrap of its own (node/, php/, python/), which reads from TRY what it is to do:
 * `wrong` leaves open what a fork breaks; `lazy` opens it in the run; `hooks` has it open, closes it before the fork and
 * opens it again after it.
 */
export interface Trial {
  readonly runtime: 'node' | 'php' | 'python';
  readonly file: string;
  /** What the refusal of `wrong` has to say; `goesWrong`: nothing can be seen before, and runs fail with this error. */
  readonly wrong: { readonly refused: RegExp } | { readonly goesWrong: RegExp };
  readonly right: readonly ('lazy' | 'hooks')[];
  readonly servers: readonly Server[];
  /** Without its packages: neither npm nor Debian's beyond what the tests need anyway. */
  readonly isCheap?: true;
}

const both = ['lazy', 'hooks'] as const;
const POSTGRES = /a connection to .*\.s\.PGSQL\.5432 \(PostgreSQL\?\) open/;
const MYSQL = /a connection to .*mysqld\.sock \(MySQL or MariaDB\?\) open/;
const REDIS = /a connection to .*redis\.sock \(Redis\?\) open/;
const TCP = /a TCP connection to 127\.0\.0\.1:\d+ open/;
const SQLITE = /the SQLite database .* open/;

export const TRIALS: readonly Trial[] = [
  {
    runtime: 'node',
    file: 'pg.mjs',
    wrong: { refused: POSTGRES },
    right: both,
    servers: ['postgres'],
    isCheap: true,
  },
  { runtime: 'node', file: 'mysql2.mjs', wrong: { refused: MYSQL }, right: both, servers: ['mysql'] },
  { runtime: 'node', file: 'typeorm.mjs', wrong: { refused: POSTGRES }, right: both, servers: ['postgres'] },
  {
    runtime: 'node',
    file: 'sqlite.mjs',
    wrong: { refused: SQLITE },
    right: both,
    servers: [],
    isCheap: true,
  },
  {
    runtime: 'node',
    file: 'http-agent.mjs',
    wrong: { refused: TCP },
    right: both,
    servers: ['http'],
    isCheap: true,
  },
  {
    runtime: 'node',
    file: 'http-global.mjs',
    wrong: { refused: TCP },
    right: both,
    servers: ['http'],
    isCheap: true,
  },
  { runtime: 'node', file: 'fetch.mjs', wrong: { refused: TCP }, right: both, servers: ['http'] },
  { runtime: 'node', file: 'ioredis.mjs', wrong: { refused: REDIS }, right: both, servers: ['redis'] },
  { runtime: 'node', file: 'redis.mjs', wrong: { refused: REDIS }, right: both, servers: ['redis'] },
  { runtime: 'node', file: 'grpc-js.mjs', wrong: { refused: TCP }, right: both, servers: ['grpc'] },
  {
    runtime: 'node',
    file: 'pino.mjs',
    wrong: { refused: /1 thread running \(WorkerThread\)/ },
    right: both,
    servers: [],
  },
  {
    runtime: 'node',
    file: 'prom-client.mjs',
    wrong: { refused: /a listening socket/ },
    right: ['lazy'],
    servers: ['http'],
  },
  {
    runtime: 'node',
    file: 'prom-client-defaults.mjs',
    wrong: { goesWrong: /^Error: It is not possible to decrease a counter$/ },
    right: ['hooks'],
    servers: [],
  },
  { runtime: 'node', file: 'nodemailer.mjs', wrong: { refused: TCP }, right: both, servers: ['smtp'] },

  { runtime: 'php', file: 'pdo-pgsql.php', wrong: { refused: POSTGRES }, right: both, servers: ['postgres'] },
  {
    runtime: 'php',
    file: 'pdo-persistent.php',
    wrong: { refused: POSTGRES },
    right: ['lazy'],
    servers: ['postgres'],
  },
  { runtime: 'php', file: 'pdo-mysql.php', wrong: { refused: MYSQL }, right: both, servers: ['mysql'] },
  {
    runtime: 'php',
    file: 'pdo-sqlite.php',
    wrong: { refused: SQLITE },
    right: both,
    servers: [],
    isCheap: true,
  },
  { runtime: 'php', file: 'mysqli.php', wrong: { refused: MYSQL }, right: both, servers: ['mysql'] },
  {
    runtime: 'php',
    file: 'mysqli-persistent.php',
    wrong: { refused: MYSQL },
    right: ['lazy'],
    servers: ['mysql'],
  },
  {
    runtime: 'php',
    file: 'phpredis-persistent.php',
    wrong: { refused: REDIS },
    right: both,
    servers: ['redis'],
  },
  { runtime: 'php', file: 'phpredis.php', wrong: { refused: REDIS }, right: both, servers: ['redis'] },
  { runtime: 'php', file: 'predis.php', wrong: { refused: REDIS }, right: both, servers: ['redis'] },
  { runtime: 'php', file: 'curl.php', wrong: { refused: TCP }, right: both, servers: ['http'] },
  { runtime: 'php', file: 'curl-share.php', wrong: { refused: TCP }, right: both, servers: ['http'] },
  {
    runtime: 'php',
    file: 'doctrine-dbal.php',
    wrong: { refused: POSTGRES },
    right: both,
    servers: ['postgres'],
  },
  {
    runtime: 'php',
    file: 'monolog.php',
    wrong: { refused: /monolog\.log open for writing/ },
    right: both,
    servers: [],
  },

  {
    runtime: 'python',
    file: 'psycopg2_.py',
    wrong: { refused: POSTGRES },
    right: both,
    servers: ['postgres'],
  },
  {
    runtime: 'python',
    file: 'psycopg_.py',
    wrong: { refused: POSTGRES },
    right: both,
    servers: ['postgres'],
  },
  { runtime: 'python', file: 'mysqldb.py', wrong: { refused: MYSQL }, right: both, servers: ['mysql'] },
  {
    runtime: 'python',
    file: 'django_.py',
    wrong: { refused: SQLITE },
    right: both,
    servers: [],
    isCheap: true,
  },
  {
    runtime: 'python',
    file: 'django_postgres.py',
    wrong: { refused: POSTGRES },
    right: both,
    servers: ['postgres'],
  },
  {
    runtime: 'python',
    file: 'sqlite3_.py',
    wrong: { refused: SQLITE },
    right: both,
    servers: [],
    isCheap: true,
  },
  { runtime: 'python', file: 'requests_.py', wrong: { refused: TCP }, right: both, servers: ['http'] },
  { runtime: 'python', file: 'urllib3_.py', wrong: { refused: TCP }, right: both, servers: ['http'] },
  { runtime: 'python', file: 'redis_.py', wrong: { refused: REDIS }, right: both, servers: ['redis'] },
  {
    runtime: 'python',
    file: 'grpcio.py',
    wrong: { refused: /threads running .*: gRPC: / },
    right: ['lazy'],
    servers: ['grpc'],
  },
  {
    runtime: 'python',
    file: 'queue_listener.py',
    wrong: { refused: /1 thread running/ },
    right: both,
    servers: [],
  },
  {
    runtime: 'python',
    file: 'prometheus.py',
    wrong: { refused: /a listening socket/ },
    right: ['lazy'],
    servers: ['http'],
  },
  {
    runtime: 'python',
    file: 'prometheus_multiprocess.py',
    wrong: { refused: /counter_\d+\.db open for writing/ },
    right: ['lazy'],
    servers: [],
  },
  { runtime: 'python', file: 'boto3_.py', wrong: { refused: TCP }, right: both, servers: ['http'] },
];
