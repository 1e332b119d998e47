import { type Static, Type } from 'typebox';
import { closed, duration, flag, integer, size, text } from '../../document/index.ts';

/*
 * The file as it is written. Every schema's `description` completes the sentence "expected …": validate.ts
 * says it, whatever the keyword that failed. `writeOnly` marks values that must not be echoed in an error.
 */

const unlimited = Type.Literal('unlimited');

function listOf<Item extends Parameters<typeof Type.Array>[0]>(item: Item, description: string) {
  return Type.Array(item, { description });
}

const token = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'a name of letters, digits, . _ -' }),
    role: Type.Enum(['viewer', 'operator', 'admin'], { description: 'viewer, operator or admin' }),
    sha256: Type.String({
      pattern: '^[0-9A-Fa-f]{64}$',
      writeOnly: true,
      description: 'the SHA-256 of the token, 64 hexadecimal digits',
    }),
  },
  { ...closed, description: 'a mapping with name, role and sha256' },
);

const auth = Type.Union(
  [
    Type.Literal('none'),
    Type.Object(
      { tokens: Type.Array(token, { minItems: 1, description: 'a list of one or more tokens' }) },
      { ...closed, description: 'a mapping with tokens' },
    ),
  ],
  { writeOnly: true, description: 'none, or a mapping with tokens' },
);

/** A plain number is exact as YAML reads it only so far. */
const limit = Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), size, unlimited], {
  description: 'a number, a size such as 64KiB, or unlimited',
});
const rlimit = Type.Union(
  [
    ...limit.anyOf,
    Type.Object({ soft: limit, hard: limit }, { ...closed, description: 'a mapping with soft and hard' }),
  ],
  { description: 'a number, a size such as 64KiB, unlimited, or a mapping with soft and hard' },
);

/** prlimit's long options. */
const rlimits = Type.Object(
  {
    as: Type.Optional(rlimit),
    core: Type.Optional(rlimit),
    cpu: Type.Optional(rlimit),
    data: Type.Optional(rlimit),
    fsize: Type.Optional(rlimit),
    locks: Type.Optional(rlimit),
    memlock: Type.Optional(rlimit),
    msgqueue: Type.Optional(rlimit),
    nice: Type.Optional(rlimit),
    nofile: Type.Optional(rlimit),
    nproc: Type.Optional(rlimit),
    rss: Type.Optional(rlimit),
    rtprio: Type.Optional(rlimit),
    rttime: Type.Optional(rlimit),
    sigpending: Type.Optional(rlimit),
    stack: Type.Optional(rlimit),
  },
  { ...closed, description: 'a mapping from the names that prlimit knows (nofile, as, core, …) to limits' },
);

const secret = Type.Object(
  {
    file: Type.Optional(text('the path of a file')),
    command: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^\\0]*$', description: 'a text' }), {
        minItems: 1,
        description: 'a list: a program and its arguments',
      }),
    ),
    credential: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$',
        description: 'the name of a credential: letters, digits, . _ -',
      }),
    ),
  },
  // A value that somebody has written here by mistake must not be echoed.
  { ...closed, writeOnly: true, description: 'a mapping with one of file, command and credential' },
);

const pool = Type.Object(
  {
    runtime: Type.Enum(['php', 'python', 'node', 'command'], { description: 'php, python, node or command' }),
    bootstrap: Type.Optional(text('the path of a file')),
    jobs: Type.Optional(text('the path of a folder')),
    prefork: Type.Optional(integer(0, 1_000)),
    user: Type.Optional(text('the name of a user')),
    group: Type.Optional(text('the name of a group')),
    nice: Type.Optional(integer(-20, 19)),
    rlimits: Type.Optional(rlimits),
    interpreter: Type.Optional(text('a program: a name in PATH, or a path')),
    fork: Type.Optional(
      Type.Union([Type.Boolean(), Type.Literal('unproven')], { description: 'true, false or unproven' }),
    ),
    args: Type.Optional(
      listOf(
        Type.String({ pattern: '^[^\\0]*$', description: 'a text' }),
        'a list of arguments for the interpreter',
      ),
    ),
    env: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
        Type.String({ pattern: '^[^\\0]*$', writeOnly: true, description: 'a text' }),
        {
          ...closed,
          description: 'a mapping from names of variables to texts',
          propertyNames: { description: 'the name of a variable: letters, digits and _' },
        },
      ),
    ),
    env_file: Type.Optional(
      Type.Union(
        [
          text('the path of a file'),
          Type.Array(text('the path of a file'), { minItems: 1, description: 'a list of one or more files' }),
        ],
        { description: 'the path of a file, or a list of them' },
      ),
    ),
    secrets: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), secret, {
        ...closed,
        description: 'a mapping from names of variables to where their values come from',
        propertyNames: { description: 'the name of a variable: letters, digits and _' },
      }),
    ),
    allow_env: Type.Optional(
      listOf(
        Type.String({
          pattern: '^([A-Za-z_][A-Za-z0-9_]*\\*?|\\*)$',
          description: 'the name of a variable, with a * at its end for any rest',
        }),
        'a list of names of variables',
      ),
    ),
    max_running: Type.Optional(integer(1, 100_000)),
    queue: Type.Optional(integer(0, 10_000_000)),
    max_age: Type.Optional(duration),
    max_memory: Type.Optional(size),
    boot_timeout: Type.Optional(duration),
    claim_timeout: Type.Optional(duration),
    timeout: Type.Optional(duration),
    kill_after: Type.Optional(duration),
    leave_children: Type.Optional(flag),
    allow: Type.Optional(listOf(text('what the inspection named'), 'a list of what the inspection may find')),
  },
  { ...closed, description: "a mapping with the pool's settings" },
);

const url = text('a URL such as https://rocksy.example.org');

const join = Type.Object(
  {
    url: Type.Optional(url),
    urls: Type.Optional(Type.Array(url, { minItems: 1, description: 'a list of one or more URLs' })),
    token_file: text('the path of a file'),
    name: Type.Optional(text('the name of a host')),
    labels: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$' }), text('a text'), {
        ...closed,
        description: 'a mapping from labels to texts',
        propertyNames: { description: 'a label: 1 to 63 letters, digits, . _ / -' },
      }),
    ),
    capacity: Type.Optional(integer(1, 100_000)),
    pools: Type.Optional(
      Type.Array(text('the name of a pool'), { minItems: 1, description: 'a list of one or more pools' }),
    ),
    ca_file: Type.Optional(text('the path of a file')),
  },
  {
    ...closed,
    description: 'a mapping with url, token_file, name, labels, capacity, pools, ca_file',
  },
);

const retention = Type.Object(
  {
    runs: Type.Optional(duration),
    max_runs: Type.Optional(integer(0, 1_000_000_000)),
    logs: Type.Optional(duration),
    log_bytes: Type.Optional(size),
  },
  { ...closed, description: 'a mapping with runs, max_runs, logs, log_bytes' },
);

const limits = Type.Object(
  {
    line: Type.Optional(size),
    connections: Type.Optional(integer(1, 1_000_000)),
    pipelined: Type.Optional(integer(1, 1_000_000)),
    unread: Type.Optional(size),
    push: Type.Optional(size),
  },
  { ...closed, description: 'a mapping with line, connections, pipelined, unread, push' },
);

const log = Type.Object(
  {
    level: Type.Optional(
      Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
        description: 'trace, debug, info, warn, error, fatal or silent',
      }),
    ),
  },
  { ...closed, description: 'a mapping with level' },
);

export const configSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Array(text('an address: tcp://HOST:PORT or unix:PATH'), {
        minItems: 1,
        description: 'a list of one or more addresses: tcp://HOST:PORT or unix:PATH',
      }),
    ),
    auth: Type.Optional(auth),
    insecure: Type.Optional(flag),
    state: Type.Optional(text('the path of a folder')),
    default_pool: Type.Optional(text('the name of a pool')),
    pools: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_-]{0,31}$' }), pool, {
      ...closed,
      minProperties: 1,
      description: 'a mapping with one or more pools',
      propertyNames: {
        description: 'the name of a pool: 1 to 32 of a-z, 0-9, _ and -, beginning with a letter',
      },
    }),
    join: Type.Optional(join),
    stop_runs: Type.Optional(Type.Enum(['stop', 'leave'], { description: 'stop or leave' })),
    stop_grace: Type.Optional(duration),
    takeover_timeout: Type.Optional(duration),
    retention: Type.Optional(retention),
    log_max: Type.Optional(
      Type.Union([size, unlimited], { description: 'a size such as 256MiB, or unlimited' }),
    ),
    min_free: Type.Optional(size),
    mask: Type.Optional(
      listOf(
        Type.String({ minLength: 1, writeOnly: true, description: 'a regular expression' }),
        'a list of regular expressions',
      ),
    ),
    limits: Type.Optional(limits),
    log: Type.Optional(log),
  },
  { ...closed, description: 'a mapping with the settings of rocksyd' },
);

export type RawConfig = Static<typeof configSchema>;
export type RawPool = Static<typeof pool>;
export type RawSecret = Static<typeof secret>;
export type RawLimit = Static<typeof limit>;
export type RawRlimit = Static<typeof rlimit>;
