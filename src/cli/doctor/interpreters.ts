import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Client, ConnectionError, type PoolView, RocksyError } from '../../client/index.ts';
import { type Finding, install } from './finding.ts';

interface Runtime {
  /** What makes it print its version. */
  readonly ask: readonly string[];
  /** Two numbers. */
  readonly oldest: string;
  readonly debianPackage: string;
}

const RUNTIMES: Readonly<Record<string, Runtime>> = {
  php: { ask: ['-r', 'echo PHP_VERSION;'], oldest: '8.2', debianPackage: 'php-cli' },
  python: {
    ask: ['-c', 'import platform; print(platform.python_version())'],
    oldest: '3.9',
    debianPackage: 'python3',
  },
  node: { ask: ['-p', 'process.versions.node'], oldest: '24.0', debianPackage: 'nodejs' },
};

/** What pools are started with (docs/zygote.md): nothing of whoever asks. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
const PATIENCE_MS = 10_000;

/** One interpreter, by one user, for these pools. */
interface Use {
  readonly runtime: string;
  readonly program: string;
  readonly user: string | null;
  readonly pools: readonly string[];
}

/** Whether the interpreters of the daemon's pools are there, run as the pools' users, and are new enough. */
export async function interpreterChecks(client: Client): Promise<Finding[]> {
  try {
    return usesOf(await client.pools()).map(check);
  } catch (error) {
    // That it does not answer, or not us, is another finding.
    if (error instanceof ConnectionError || error instanceof RocksyError) return [];
    throw error;
  }
}

function usesOf(pools: readonly PoolView[]): Use[] {
  const warm = pools.flatMap(({ name, runtime, interpreter, user }) =>
    interpreter ? [{ name, runtime, program: interpreter, user: user ?? null }] : [],
  );
  const same = Map.groupBy(warm, ({ runtime, program, user }) => JSON.stringify([runtime, program, user]));
  return [...same.values()].flatMap((all) =>
    all.slice(0, 1).map((first) => ({ ...first, pools: all.map(({ name }) => name) })),
  );
}

function check({ runtime, program, user, pools }: Use): Finding {
  const name = `${runtime} of pool${pools.length === 1 ? '' : 's'} ${pools.join(', ')}`;
  const known = RUNTIMES[runtime];
  if (known === undefined) return { verdict: 'ok', name, detail: program };
  const missing = (detail: string, remedy: string): Finding => ({ verdict: 'missing', name, detail, remedy });
  const answer = ask(program, known.ask, user);
  const another = `name another one, interpreter: PATH, in pool ${pools.join(', ')}`;
  switch (answer.kind) {
    case 'version': {
      const detail = `${answer.version} (${program})`;
      if (!isOlder(answer.version, known.oldest)) return { verdict: 'ok', name, detail };
      return missing(`${detail}, older than ${known.oldest}`, another);
    }
    case 'absent':
      return missing(`${program} is not there`, `${install(known.debianPackage)}, or ${another}`);
    case 'forbidden':
      return missing(
        `${program} can't be run by ${answer.by}: ${whyForbidden(program)}`,
        systemsOwn(runtime, program, pools) ?? another,
      );
    case 'broken':
      return missing(`${program} does not run: ${answer.why}`, another);
  }
}

type Answer =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'forbidden'; readonly by: string }
  | { readonly kind: 'broken'; readonly why: string };

/** Only root can try it as somebody else; who is not tries it as himself. */
function ask(program: string, args: readonly string[], user: string | null): Answer {
  const self = userInfo().username;
  const by = user !== null && process.getuid?.() === 0 ? user : self;
  const become =
    by === self ? [] : ['setpriv', `--reuid=${by}`, `--regid=${groupOf(by)}`, '--init-groups', '--'];
  const [file = '', ...rest] = [...become, program, ...args];
  const { status, stdout, stderr, error } = spawnSync(file, rest, {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    cwd: '/',
    env: ENVIRONMENT,
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  // 126 and 127 are setpriv's own: execve(2) was refused, or found nothing.
  // A script may be executed and not be read by its own interpreter.
  const isRefused = status !== 0 && /permission denied/i.test(stderr ?? '');
  if (code === 'EACCES' || status === 126 || isRefused) return { kind: 'forbidden', by };
  if (code === 'ENOENT' || status === 127) return { kind: 'absent' };
  // A start-up warning may stand before the answer.
  const version = /^\d+\.\d+\S*$/m.exec(stdout ?? '')?.[0];
  if (status === 0 && version !== undefined) return { kind: 'version', version };
  const words = (error?.message ?? stderr.trim().split('\n').at(-1)) || `it ended with code ${status}`;
  return { kind: 'broken', why: words };
}

/** Its primary one: passwd(5). */
function groupOf(user: string): string {
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
  return accounts.map((line) => line.split(':')).find(([name]) => name === user)?.[3] ?? user;
}

function whyForbidden(program: string): string {
  const real = realpathSync(program);
  return `permission denied${real === program ? '' : ` (it is a link to ${real})`}`;
}

/** The way out where a program of PATH is in root's home, as with pyenv, nvm or uv. */
function systemsOwn(runtime: string, program: string, pools: readonly string[]): string | null {
  const own = { php: '/usr/bin/php', python: '/usr/bin/python3', node: '/usr/bin/node' }[runtime];
  if (own === undefined || own === program || !existsSync(own)) return null;
  return `interpreter: ${own}, in pool ${pools.join(', ')}`;
}

function isOlder(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
