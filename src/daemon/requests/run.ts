import { fileOfKey, type RequestNamed, RocksyError } from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';
import type { Pool } from '../pools/index.ts';
import type { Run, RunIdentity } from '../runs/index.ts';
import type { Asker, Daemon } from './context.ts';
import { assertLends, assertOwn, type Scope } from './scope.ts';
import { show } from './show.ts';

type RunRequest = RequestNamed<'run'>;

/** Starts a run, once: answers when it has begun, when it waits in a queue, or at once when the key is known. */
export async function run(request: RunRequest, daemon: Daemon, asker: Asker): Promise<object> {
  const { scope, task } = asker;
  const began = (): void => task.handOver(() => ({}));
  if (task.resumed !== null) {
    // A former process has accepted it, and has not said so yet.
    began();
    return { ok: true, known: false, run: show(await daemon.runs.hasBegun(request.key), daemon.mask) };
  }
  const live = daemon.runs.liveRun(request.key);
  if (live !== undefined) return knownBefore(live, daemon, scope);
  const pool = daemon.pools.choose(request.pool);
  assertLends(scope, pool.name);
  checkDisk(daemon);
  const identity: RunIdentity = {
    key: request.key,
    file: fileOfKey(request.key),
    pool: pool.name,
    job: request.job ?? null,
    origin: scope.origin,
    spec: specOf(request, pool, scope),
    queuedMs: Date.now(),
  };
  const started = await daemon.runs.start(identity, pool, asker.bytes, began);
  if (started.known) return knownBefore(started.run, daemon, scope);
  return { ok: true, known: false, run: show(started.run, daemon.mask) };
}

/** Nothing was started. */
function knownBefore(run: Run, daemon: Daemon, scope: Scope): object {
  assertOwn(scope, run);
  return { ok: true, known: true, run: show(run, daemon.mask) };
}

function checkDisk({ floor, config }: Daemon): void {
  let room: boolean;
  try {
    room = floor.allows();
  } catch (cause) {
    throw new RocksyError('state_unwritable', `${config.state}: ${(cause as Error).message}`, { cause });
  }
  if (room) return;
  throw new RocksyError(
    'low_disk',
    `Less than min_free (${config.minFreeBytes} bytes) is free where ${config.state} is`,
    {
      hint: 'free some space; runs are accepted again without a restart',
    },
  );
}

function specOf(request: RunRequest, pool: Pool, scope: Scope): StartSpec {
  const { config } = pool;
  checkRuntime(request, pool);
  checkEnvironment(request, pool, scope);
  if (request.params !== undefined && !Array.isArray(request.params) && !isObject(request.params)) {
    throw new RocksyError(
      'invalid_request',
      'params: expected an array (or an object), which run() gets as its argument',
    );
  }
  if (request.cwd !== undefined && !request.cwd.startsWith('/')) {
    throw new RocksyError('invalid_request', 'cwd: expected an absolute path');
  }
  if ([request.cwd, ...(request.argv ?? [])].some((text) => text?.includes('\0'))) {
    throw new RocksyError('invalid_request', 'a NUL byte can be passed on in no argument and no path');
  }
  const timeoutMs = request.timeout_ms ?? config.timeoutMs ?? undefined;
  const env = { ...request.env, ...(request.job === undefined ? {} : { ROCKSY_JOB: request.job }) };
  return {
    ...(request.class === undefined
      ? {}
      : { class: request.class, params: (request.params as StartSpec['params']) ?? [] }),
    ...(request.argv === undefined ? {} : { argv: request.argv }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
    ...(request.log === undefined ? {} : { log: `~log-${request.log}.log` }),
    ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
    kill_after_ms: request.kill_after_ms ?? config.killAfterMs,
  };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !JSON.isRawJSON(value);
}

function checkRuntime(request: RunRequest, { name, config }: Pool): void {
  const wants = request.argv === undefined ? 'class' : 'argv';
  const takes = config.runtime === 'command' ? 'argv' : 'class';
  if (wants === takes) return;
  throw new RocksyError('not_supported', `Pool ${name} (${config.runtime}) takes ${takes}, not ${wants}`);
}

/** What the cloud tells a run of itself (docs/jobs.md). */
const CLOUD_VARIABLES: ReadonlySet<string> = new Set([
  'ROCKSY_RUN',
  'ROCKSY_ATTEMPT',
  'ROCKSY_DUE',
  'ROCKSY_PARENTS',
]);

function checkEnvironment(request: RunRequest, { name, config }: Pool, { origin }: Scope): void {
  for (const [variable, value] of Object.entries(request.env ?? {})) {
    if (origin === 'cloud' && CLOUD_VARIABLES.has(variable)) continue;
    const allowed = config.allowEnv.some((entry) =>
      entry.endsWith('*') ? variable.startsWith(entry.slice(0, -1)) : variable === entry,
    );
    if (!allowed || variable.startsWith('ROCKSY_')) {
      throw new RocksyError('invalid_request', `env: pool ${name} does not let a request set ${variable}`, {
        hint: `add it to allow_env of the pool`,
      });
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable) || value.includes('\0')) {
      throw new RocksyError('invalid_request', `env: ${JSON.stringify(variable)} can't be passed on`);
    }
  }
}
