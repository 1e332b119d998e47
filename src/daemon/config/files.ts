import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

/** What keeps `path` from being a file that we may read; `null` when nothing does. */
export function whyUnreadable(path: string): string | null {
  return whyNot(path, constants.R_OK, 'not readable');
}

/** What keeps `path` from being a program that we may run; `null` when nothing does. */
export function whyNotExecutable(path: string): string | null {
  return whyNot(path, constants.X_OK, 'not executable');
}

/** What keeps `path` from being a folder whose files we may read; `null` when nothing does. */
export function whyNoFolder(path: string): string | null {
  return whyNot(path, constants.R_OK | constants.X_OK, 'not readable', 'folder');
}

/** As execvp(3) looks for it: a name in the folders of `searchPath`. */
export function findProgram(name: string, searchPath: string): string | null {
  const candidates = searchPath
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => resolve(folder, name));
  return candidates.find((candidate) => whyNotExecutable(candidate) === null) ?? null;
}

function whyNot(
  path: string,
  mode: number,
  refused: string,
  kind: 'file' | 'folder' = 'file',
): string | null {
  try {
    const stat = statSync(path);
    if (!(kind === 'file' ? stat.isFile() : stat.isDirectory())) return `not a ${kind}`;
    accessSync(path, mode);
    return null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'not there';
    if (code === 'EACCES') return refused;
    return String(code ?? error);
  }
}
