import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { listenUnix, memfd } from '../posix/index.ts';
import { CONFIG_VARIABLE, type ZygoteConfig } from './contract.ts';
import { FORK_ENVIRONMENT, FORK_FLAGS, START_FLAGS } from './node/index.ts';

export type RuntimeName = 'php' | 'python' | 'node' | 'command';

/** The account that a pool's processes belong to. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface LaunchOptions {
  readonly runtime: RuntimeName;
  /** Absolute path of the interpreter; null for the runtime's own. */
  readonly interpreter: string | null;
  /** For `node`: is a run a fork, or a process that is started? */
  readonly fork: boolean;
  /** Arguments of the interpreter, before the zygote's program. */
  readonly args: readonly string[];
  /** The user and group to become; null: stay who we are. */
  readonly account: Account | null;
  readonly group: string | null;
  readonly nice: number;
  readonly rlimits: ReadonlyMap<string, { readonly soft: string; readonly hard: string }>;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** Where the zygote listens; the file is made here, mode 0600. */
  readonly socketPath: string;
  /** Where its output goes until and after the bootstrap. */
  readonly bootLog: string;
  readonly config: ZygoteConfig;
}

/** `../` from here in a checkout (.ts) and in the published package (.js). */
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/**
 * opcache serves the command line too, and all children share its segment. A generation never sees new code, so no
 * timestamps are checked. Huge pages are asked for by the environment (USE_ZEND_ALLOC_HUGE_PAGES): fewer faults after
 * the fork.
 */
export const PHP_FLAGS: readonly string[] = [
  'opcache.enable=1',
  'opcache.enable_cli=1',
  'opcache.validate_timestamps=0',
  // By default what was changed less than 2 s ago is not cached: a bootstrap that has just been deployed.
  'opcache.file_update_protection=0',
  'ffi.enable=1',
  'max_execution_time=0',
  'display_errors=stderr',
  'log_errors=0',
  'html_errors=0',
].flatMap((setting) => ['-d', setting]);

/** Small, and idle most of the time: no threads for garbage collection, a small nursery, no inspector by signal. */
const NODE_FLAGS = ['--v8-pool-size=0', '--max-semi-space-size=1', '--disable-sigusr1'];

type Interpreted = Pick<LaunchOptions, 'interpreter' | 'args' | 'fork'>;

const PROGRAMS: Record<RuntimeName, (options: Interpreted) => string[]> = {
  php: ({ interpreter, args }) => [interpreter ?? 'php', ...PHP_FLAGS, ...args, program('php/zygote.php')],
  python: ({ interpreter, args }) => [interpreter ?? 'python3', ...args, program('python/zygote.py')],
  command: ({ args }) => [process.execPath, ...NODE_FLAGS, ...args, program(`command/zygote.${EXTENSION}`)],
  node: ({ interpreter, args, fork }) =>
    fork
      ? [interpreter ?? process.execPath, ...FORK_FLAGS, ...args, program(`node/zygote.${EXTENSION}`)]
      : [
          ...[process.execPath, ...NODE_FLAGS, program(`node/started/zygote.${EXTENSION}`)],
          // What it is to start, which need not be the Node that it runs on itself.
          ...[interpreter ?? process.execPath, ...START_FLAGS, ...args],
        ],
};

/** What a runtime's interpreter is told by its environment, unless the pool says otherwise. */
const ENVIRONMENTS: Record<RuntimeName, (options: Interpreted) => Readonly<Record<string, string>>> = {
  php: () => ({ USE_ZEND_ALLOC_HUGE_PAGES: '1' }),
  python: () => ({}),
  command: () => ({}),
  node: ({ fork }) => (fork ? FORK_ENVIRONMENT : {}),
};

function program(path: string): string {
  return fileURLToPath(new URL(`./${path}`, import.meta.url));
}

/** Where Debian and every other distribution has them. Never looked up: root runs them. */
const BIN = '/usr/bin';

/** The descriptor that the pool's environment is read from. */
const ENVIRONMENT_FD = 4;

/**
 * The daemon may be protected from the OOM killer (a negative score, which children inherit); zygotes and runs are to be
 * like everybody else. To raise it again is allowed to anybody: proc_pid_oom_score_adj(5). Shell builtins only.
 */
const NORMAL_OOM_SCORE = `{ read -r score </proc/self/oom_score_adj && [ "$score" -ge 0 ] || echo 0 >/proc/self/oom_score_adj; } 2>/dev/null`;

/**
 * The command that becomes the zygote: limits and priority first, while we may still raise them, then the account, and
 * only then, as the pool's user, the pool's environment: a PATH or LD_PRELOAD of a pool must not be in force for
 * programs that root runs. It comes through a descriptor, since arguments are there for everybody to see. Each of these
 * programs executes the next in its own place, so the pid stays.
 */
export function commandLine(options: LaunchOptions): string[] {
  const limits = [...options.rlimits].map(([name, { soft, hard }]) => `--${name}=${soft}:${hard}`);
  return [
    ...(limits.length === 0 ? [] : [`${BIN}/prlimit`, ...limits, '--']),
    ...(options.nice === 0 ? [] : [`${BIN}/nice`, '-n', String(options.nice)]),
    ...(options.account === null ? [] : becoming(options.account, options.group)),
    '/bin/sh',
    '-c',
    `${NORMAL_OOM_SCORE}; . /proc/self/fd/${ENVIRONMENT_FD} && exec "$@" ${ENVIRONMENT_FD}<&-`,
    'rocksy-zygote',
    ...PROGRAMS[options.runtime](options),
  ];
}

function becoming(account: Account, group: string | null): string[] {
  const groups = `--regid=${group ?? account.gid}`;
  return [`${BIN}/setpriv`, `--reuid=${account.name}`, groups, '--init-groups', '--no-new-privs', '--'];
}

const CLEAN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What a zygote finds in its environment: an account's plain login, the pool's `env`, its configuration. Nothing of ours. */
export function environment(options: LaunchOptions): Record<string, string> {
  const { account } = options;
  const own = (name: string): string => process.env[name] ?? '';
  return {
    PATH: CLEAN_PATH,
    HOME: account?.home ?? own('HOME'),
    USER: account?.name ?? own('USER'),
    LOGNAME: account?.name ?? own('USER'),
    SHELL: account?.shell ?? '/bin/sh',
    LANG: process.env.LANG ?? 'C.UTF-8',
    ...ENVIRONMENTS[options.runtime](options),
    ...testHooks(),
    ...Object.fromEntries(options.env),
    [CONFIG_VARIABLE]: JSON.stringify(options.config),
  };
}

/** The environment as a script for sh. Between single quotes a shell changes nothing; a quote itself goes between two. */
export function exports(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

/** The fault tests let a process kill itself at a named step (test/faults). */
function testHooks(): Record<string, string> {
  const hooks: Record<string, string> = {};
  for (const name of ['ROCKSY_TEST_KILL', 'ROCKSY_TEST_KILL_ONCE']) {
    const value = process.env[name];
    if (value !== undefined) hooks[name] = value;
  }
  return hooks;
}

/**
 * Starts a zygote. It leads a session of its own and does not depend on us: we hold no descriptor that it needs, and it
 * holds none of ours but the listening socket that was made for it (its descriptor 3).
 */
export function launch(options: LaunchOptions): ChildProcess {
  const owned: number[] = [];
  const own = (fd: number): number => owned[owned.push(fd) - 1] ?? fd;
  try {
    const listening = own(listenUnix({ path: options.socketPath, mode: 0o600, backlog: 16 }));
    const log = own(fs.openSync(options.bootLog, 'a', 0o600));
    const variables = own(memfd('environment', Buffer.from(exports(environment(options)))));
    const [file = '', ...args] = commandLine(options);
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { PATH: CLEAN_PATH, LANG: 'C.UTF-8' },
      detached: true,
      stdio: ['ignore', log, log, listening, variables],
    });
    child.unref();
    return child;
  } finally {
    for (const fd of owned) fs.closeSync(fd);
  }
}
