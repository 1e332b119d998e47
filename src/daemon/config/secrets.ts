import { resolve } from 'node:path';
import type { KeyPath } from '../../document/index.ts';
import type { PoolConfig, SecretSource } from './config.ts';
import { findProgram, whyNotExecutable } from './files.ts';
import type { Ground } from './pool.ts';
import type { RawPool, RawSecret } from './schema.ts';
import { MIN_SECRET_LENGTH, readEnvFile, readSecretFile } from './secret-files.ts';

/**
 * Where a pool's secrets come from. Values are read when a generation starts; here only whether they could be now. What
 * may be different then (a credential is there only for the service itself) is a warning.
 */
export function resolveSecrets(
  raw: RawPool,
  path: KeyPath,
  ground: Ground,
): Pick<PoolConfig, 'envFiles' | 'secrets'> {
  return {
    envFiles: Object.freeze(resolveEnvFiles(raw.env_file, [...path, 'env_file'], ground)),
    secrets: new Map(
      Object.entries(raw.secrets ?? {}).flatMap(([name, source]) => {
        const at = [...path, 'secrets', name];
        checkName(name, raw, at, ground);
        const resolved = resolveSource(source, at, ground);
        return resolved === null ? [] : [[name, Object.freeze(resolved)] as const];
      }),
    ),
  };
}

function resolveEnvFiles(written: RawPool['env_file'], path: KeyPath, ground: Ground): string[] {
  if (written === undefined) return [];
  if (typeof written === 'string') return [resolveEnvFile(written, path, ground)];
  return written.map((each, index) => resolveEnvFile(each, [...path, index], ground));
}

function resolveEnvFile(written: string, path: KeyPath, { dir, findings }: Ground): string {
  const file = resolve(dir, written);
  const read = readEnvFile(file);
  if ('problems' in read) {
    for (const problem of read.problems) findings.problem(path, problem, hinted(read.hint));
    return file;
  }
  const short = shortNames(read.variables);
  if (short.length > 0) findings.warning(path, `${file}: ${shortWarning(short)}`);
  return file;
}

/** Names of variables that are too short to be hidden. An empty one hides nothing. */
export function shortNames(variables: Iterable<{ readonly name: string; readonly value: string }>): string[] {
  return [...variables]
    .filter(({ value }) => value !== '' && value.length < MIN_SECRET_LENGTH)
    .map(({ name }) => name);
}

export function shortWarning(names: readonly string[]): string {
  return `shorter than ${MIN_SECRET_LENGTH} characters, and so not hidden in logs: ${names.join(', ')}`;
}

function checkName(name: string, { env = {} }: RawPool, path: KeyPath, { findings }: Ground): void {
  if (name.startsWith('ROCKSY_')) {
    findings.problem(path, 'names that begin with ROCKSY_ are set by Rocksy itself');
  }
  if (Object.hasOwn(env, name)) findings.problem(path, `${name} stands in env too: one of them has to go`);
}

function resolveSource(raw: RawSecret, path: KeyPath, ground: Ground): SecretSource | null {
  const kinds = (['file', 'command', 'credential'] as const).filter((kind) => raw[kind] !== undefined);
  if (kinds.length !== 1) {
    ground.findings.problem(path, 'expected one of file, command and credential', {
      hint: 'DB_PASSWORD: { file: ./db-password }',
    });
    return null;
  }
  if (raw.file !== undefined) return resolveFile(raw.file, [...path, 'file'], ground);
  if (raw.command !== undefined) return resolveCommand(raw.command, [...path, 'command'], ground);
  return raw.credential === undefined ? null : resolveCredential(raw.credential, path, ground);
}

function resolveFile(written: string, path: KeyPath, { dir, findings }: Ground): SecretSource {
  const file = resolve(dir, written);
  const read = readSecretFile(file);
  if ('problem' in read) findings.problem(path, `${file} ${read.problem}`, hinted(read.hint));
  else if (read.isOpen) findings.warning(path, `${file} can be read by everybody on this machine`);
  return { kind: 'file', path: file };
}

/** A name is looked for in PATH, as an interpreter is; a path begins at the file's folder. */
function resolveCommand(
  argv: readonly string[],
  path: KeyPath,
  { dir, surroundings, findings }: Ground,
): SecretSource {
  const [written = ''] = argv;
  const isPath = written.includes('/');
  const program = isPath ? resolve(dir, written) : findProgram(written, surroundings.path);
  const why = program === null ? null : whyNotExecutable(program);
  if (program === null) {
    findings.problem([...path, 0], `no program ${written} in PATH, which is ${surroundings.path}`);
  } else if (why !== null) findings.problem([...path, 0], `${program} is ${why}`);
  return { kind: 'command', program: program ?? written, argv: Object.freeze([...argv]) };
}

function resolveCredential(name: string, path: KeyPath, { surroundings, findings }: Ground): SecretSource {
  const { credentials } = surroundings;
  if (credentials === null) {
    findings.warning(
      [...path, 'credential'],
      `no credentials here ($CREDENTIALS_DIRECTORY is not set): the service has to have LoadCredential=${name}:…`,
    );
    return { kind: 'credential', name };
  }
  const read = readSecretFile(resolve(credentials, name));
  if ('problem' in read) findings.warning([...path, 'credential'], `${name} ${read.problem}`);
  return { kind: 'credential', name };
}

function hinted(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}
