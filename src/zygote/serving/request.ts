/** A line of the daemon's, taken apart but not yet believed. */
export interface RawRequest {
  readonly op: string;
  readonly id: number | undefined;
  readonly fields: { readonly [name: string]: unknown };
}

/** What every runtime's `start` has. */
export interface RunStart {
  readonly key: string;
  /** Base name of the run's files. */
  readonly file: string;
  readonly env: { readonly [name: string]: string };
  /** Empty: where the zygote stands. */
  readonly cwd: string;
  readonly stdin: string | null;
  /** Base name of the log. */
  readonly log: string;
  readonly timeoutMs: number | null;
  readonly killAfterMs: number;
}

const MAX_KEY_BYTES = 255;
const BASE_NAME = /^[A-Za-z0-9._~-]{1,250}$/;
const KILL_AFTER_MS = 5000;

/** Null: the line is not a JSON object with an `op`. */
export function parseRequest(line: Buffer): RawRequest | null {
  let fields: unknown;
  try {
    fields = JSON.parse(line.toString());
  } catch {
    return null;
  }
  if (!isObject(fields)) return null;
  const { op, id } = fields;
  return typeof op === 'string' ? { op, id: typeof id === 'number' ? id : undefined, fields } : null;
}

/** What a `start` says, or the sentence why it can't be carried out. The key has been checked. */
export function parseRunStart(key: string, fields: RawRequest['fields']): RunStart | string {
  const { file, env = {}, cwd = '', stdin = null, timeout_ms = null } = fields;
  const { log = `${file}.log`, kill_after_ms = KILL_AFTER_MS } = fields;
  if (!isBaseName(file)) return 'file: expected letters, digits and . _ - ~';
  if (!isBaseName(log)) return 'log: expected a file name, not a path';
  if (!isEnvironment(env)) {
    return 'env: expected strings, without NUL characters, under names without =';
  }
  if (!isCText(cwd) || (cwd !== '' && !cwd.startsWith('/'))) return 'cwd: expected an absolute path';
  if (stdin !== null && typeof stdin !== 'string') return 'stdin: expected a string';
  if (timeout_ms !== null && !isMilliseconds(timeout_ms))
    return 'timeout_ms: expected a number of milliseconds';
  if (!isMilliseconds(kill_after_ms)) return 'kill_after_ms: expected a number of milliseconds';
  return { key, file, env, cwd, stdin, log, timeoutMs: timeout_ms, killAfterMs: kill_after_ms };
}

export function isKey(key: unknown): key is string {
  return isCText(key) && key !== '' && Buffer.byteLength(key) <= MAX_KEY_BYTES;
}

export function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isBaseName(name: unknown): name is string {
  return typeof name === 'string' && BASE_NAME.test(name) && name !== '.' && name !== '..';
}

function isEnvironment(env: unknown): env is { readonly [name: string]: string } {
  const fits = ([name, value]: [string, unknown]): boolean =>
    name !== '' && !name.includes('=') && isCText(name) && isCText(value);
  return isObject(env) && Object.entries(env).every(fits);
}

/** Can the text reach a process as it is? A NUL ends a C string, and half a surrogate pair has no UTF-8. */
export function isCText(text: unknown): text is string {
  return typeof text === 'string' && !text.includes('\0') && text.isWellFormed();
}
