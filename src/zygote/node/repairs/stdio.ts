import { closeSync, constants, openSync } from 'node:fs';
import { duplicateOnto, memfd } from '../../../posix/index.ts';

const APPEND = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;

/**
 * Output goes to this file from now on. process.stdout, if the zygote has it already, is a stream on descriptor 1 that
 * writes synchronously, since the boot log is a file as well: nothing is ever left to flush, here or at the end
 * (getStdout in lib/internal/bootstrap/switches/is_main_thread.js).
 */
export function openLog(path: string): void {
  const log = openSync(path, APPEND, 0o600);
  duplicateOnto(log, 1);
  duplicateOnto(log, 2);
  closeSync(log);
}

/** `null`: /dev/null. */
export function openStandardInput(content: string | null): void {
  const input = content === null ? openSync('/dev/null', constants.O_RDONLY) : memfd('rocksy-stdin', content);
  duplicateOnto(input, 0);
  closeSync(input);
}
