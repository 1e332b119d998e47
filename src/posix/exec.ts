// execv(3): another program in the place of this process.
import { setCloseOnExec } from './file.ts';
import { call, define } from './libc.ts';

const c = { execv: define<[string, (string | null)[]]>('int execv(const char *, const char **)') };

/**
 * Becomes the program, with the same pid and environment. Does not return. Of the descriptors only these stay open: Node
 * has marked those that it was started with as close-on-exec (uv_disable_stdio_inheritance). Expects ENOENT, EACCES,
 * E2BIG: execve(2).
 */
export function become(file: string, argv: readonly string[], kept: readonly number[]): never {
  for (const fd of kept) setCloseOnExec(fd, 'inherit');
  call('execv', `program ${file}`, () => c.execv(file, [...argv, null]));
  throw new Error(`execv of ${file} has returned`);
}
