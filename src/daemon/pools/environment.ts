import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { RocksyError } from '../../wire/index.ts';
import {
  MAX_SECRET_BYTES,
  MIN_SECRET_LENGTH,
  type PoolConfig,
  readEnvFile,
  readSecretFile,
  type SecretSource,
  shortNames,
  whyNoSecret,
} from '../config/index.ts';
import { outputOf } from './secret-command.ts';

const COMMAND_TIMEOUT_MS = 10_000;

/** What a generation is started with. */
export interface PoolEnvironment {
  readonly variables: ReadonlyMap<string, string>;
  /** Values that nobody is to be shown. */
  readonly secrets: readonly string[];
  /** Names of variables from environment files whose values are too short to be hidden. */
  readonly unhidden: readonly string[];
}

type Sources = Pick<PoolConfig, 'name' | 'env' | 'envFiles' | 'secrets'>;

export function hasSecretSources({ envFiles, secrets }: Pick<PoolConfig, 'envFiles' | 'secrets'>): boolean {
  return envFiles.length > 0 || secrets.size > 0;
}

/**
 * The pool's variables as they are now: `env`, then its environment files in their order, then its secrets. Throws
 * `bootstrap_failed` with the variable's name and source, and nothing of any value.
 */
export async function readEnvironment(
  pool: Sources,
  cwd: string,
  signal: AbortSignal,
): Promise<PoolEnvironment> {
  const fromFiles = new Map<string, string>();
  for (const file of pool.envFiles) {
    const read = readEnvFile(file);
    if ('problems' in read) throw refusal(pool, `env_file: ${read.problems.join('; ')}`, read.hint);
    for (const { name, value } of read.variables) fromFiles.set(name, value);
  }
  // One that fails ends those that still run.
  const failed = new AbortController();
  const wanted = AbortSignal.any([signal, failed.signal]);
  const secrets = await Promise.all(
    [...pool.secrets].map(async ([name, source]) => {
      try {
        return [name, await readSecret(pool, name, source, { cwd, signal: wanted })] as const;
      } catch (error) {
        failed.abort();
        throw error;
      }
    }),
  );
  for (const [name] of secrets) fromFiles.delete(name);
  const hidden = [...fromFiles.values()].filter((value) => value.length >= MIN_SECRET_LENGTH);
  return {
    variables: new Map([...pool.env, ...fromFiles, ...secrets]),
    secrets: [...new Set([...hidden, ...secrets.map(([, value]) => value)])],
    unhidden: shortNames([...fromFiles].map(([name, value]) => ({ name, value }))),
  };
}

async function readSecret(
  pool: Sources,
  name: string,
  source: SecretSource,
  where: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<string> {
  switch (source.kind) {
    case 'file':
      return valueInFile(pool, name, source.path);
    case 'credential':
      return valueInFile(pool, name, credentialPath(pool, name, source.name));
    case 'command':
      return await printedValue(pool, name, source, where);
  }
}

function valueInFile(pool: Sources, name: string, file: string): string {
  const read = readSecretFile(file);
  if ('problem' in read) throw refusal(pool, `secret ${name}: ${file} ${read.problem}`, read.hint);
  return read.value;
}

function credentialPath(pool: Sources, name: string, credential: string): string {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (folder !== undefined) return path.resolve(folder, credential);
  const hint = `give the service LoadCredential=${credential}:PATH (systemd.exec(5))`;
  throw refusal(pool, `secret ${name}: credential ${credential}: $CREDENTIALS_DIRECTORY is not set`, hint);
}

async function printedValue(
  pool: Sources,
  name: string,
  { program, argv }: Extract<SecretSource, { kind: 'command' }>,
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<string> {
  const what = `secret ${name}: the command ${argv.map(quoted).join(' ')}`;
  const command = { program, argv, cwd, timeoutMs: COMMAND_TIMEOUT_MS, maxBytes: MAX_SECRET_BYTES };
  const printed = await outputOf(command, signal);
  if ('problem' in printed) {
    const hint = 'what it prints is not shown, as it may be a secret: run it by hand, as the user of rocksyd';
    throw refusal(pool, `${what} ${printed.problem}`, hint);
  }
  if (!isUtf8(printed.output)) throw refusal(pool, `${what} prints what is not UTF-8`);
  const value = printed.output.toString().replace(/[\r\n]+$/, '');
  const problem = whyNoSecret(value);
  if (problem !== null) throw refusal(pool, `${what}: what it prints ${problem}`);
  return value;
}

/** As one would type it into a shell. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

function refusal(pool: Sources, message: string, hint?: string): RocksyError {
  return new RocksyError(
    'bootstrap_failed',
    `pool ${pool.name}: ${message}`,
    hint === undefined ? {} : { hint },
  );
}
