import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type EnvVariable, parseEnvFile } from './env-file.ts';

/** What is shorter stands in too many other words: it could not be hidden in a log. */
export const MIN_SECRET_LENGTH = 6;
/** execve(2) takes no string of the environment that is longer than 128 KiB; a secret is a key, not a file. */
export const MAX_SECRET_BYTES = 32_768;
const MAX_ENV_FILE_BYTES = 1 << 20;

const OTHERS = 0o007;
const OTHERS_WRITE = 0o022;

/** What a file holds, or the words that complete "PATH …" where it can't be used. */
type Content = { readonly text: string; readonly mode: number } | { readonly problem: string };

/** The variables of an environment file, or what is wrong with it: sentences that begin with its path. */
export type EnvFileRead =
  | { readonly variables: readonly EnvVariable[] }
  | { readonly problems: readonly string[]; readonly hint?: string };

/** A secret, or the words that complete "PATH …" or "it …" where it can be none. */
export type SecretRead =
  | { readonly value: string; readonly isOpen: boolean }
  | { readonly problem: string; readonly hint?: string };

/** Reads an environment file. One that others can read is refused: a secret that everybody can read is none. */
export function readEnvFile(path: string): EnvFileRead {
  const content = read(path, MAX_ENV_FILE_BYTES);
  if ('problem' in content) return { problems: [`${path} ${content.problem}`] };
  const { mode } = content;
  const writable = whyWritable(mode);
  if (writable !== null) return { problems: [`${path} ${writable}`], hint: `chmod 0640 ${path}` };
  if ((mode & OTHERS) !== 0) {
    const problem = `${path} can be read by everybody on this machine (mode ${modeText(mode)})`;
    return { problems: [problem], hint: `chmod 0640 ${path}` };
  }
  const { variables, problems } = parseEnvFile(content.text);
  const more = variables
    .filter(({ name }) => name.startsWith('ROCKSY_'))
    .map(({ name, line }) => ({
      line,
      message: `${name}: names that begin with ROCKSY_ are set by Rocksy itself`,
    }));
  const long = variables
    .filter(({ value }) => Buffer.byteLength(value) > MAX_SECRET_BYTES)
    .map(({ name, line }) => ({ line, message: `${name} is longer than ${MAX_SECRET_BYTES} bytes` }));
  const all = [...problems, ...more, ...long];
  if (all.length === 0) return { variables };
  return { problems: all.map(({ line, message }) => `${path}:${line}: ${message}`) };
}

/** Reads a file that holds one secret and nothing else; a line break at its end is none of it. */
export function readSecretFile(path: string): SecretRead {
  const content = read(path, MAX_SECRET_BYTES);
  if ('problem' in content) return content;
  const writable = whyWritable(content.mode);
  if (writable !== null) return { problem: writable, hint: `chmod 0640 ${path}` };
  const value = content.text.replace(/[\r\n]+$/, '');
  const problem = whyNoSecret(value);
  return problem === null ? { value, isOpen: (content.mode & OTHERS) !== 0 } : { problem };
}

/** The words that complete "it …" where a text can't be a secret; null where it can. */
export function whyNoSecret(value: string): string | null {
  if (value === '') return 'is empty';
  if (value.includes('\0')) return 'has a NUL byte, which no variable can have';
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) return `is longer than ${MAX_SECRET_BYTES} bytes`;
  if (value.length >= MIN_SECRET_LENGTH) return null;
  return `is shorter than ${MIN_SECRET_LENGTH} characters, and could not be hidden in logs`;
}

/** File permissions in octal, as chmod(1) takes them. */
function modeText(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

function whyWritable(mode: number): string | null {
  return (mode & OTHERS_WRITE) === 0 ? null : `can be changed by others (mode ${modeText(mode)})`;
}

/** A FIFO would be waited for: O_NONBLOCK. */
function read(path: string, maxBytes: number): Content {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { problem: `is ${whyClosed(error)}` };
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return { problem: 'is not a file' };
    if (stats.size > maxBytes) return { problem: `is longer than ${maxBytes} bytes` };
    const bytes = readFileSync(fd);
    return isUtf8(bytes) ? { text: bytes.toString(), mode: stats.mode } : { problem: 'is not UTF-8' };
  } finally {
    closeSync(fd);
  }
}

function whyClosed(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'not there';
  return code === 'EACCES' ? 'not readable' : `not to be opened (${code})`;
}
