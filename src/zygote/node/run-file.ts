import { closeSync, constants, openSync, writeSync } from 'node:fs';

export const MOST_ERROR_BYTES = 8_000;
export const MOST_PROGRESS_BYTES = 1_000;

// O_APPEND: a job's own `echo … >> file` and these lines must not write over one another.
const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;

/** The file that makes this process the one and only execution of its key, and what the run says in it. */
export class RunFile {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param identity pid, start time and boot id. Throws EEXIST where the key has been claimed. */
  static claim(path: string, identity: string): RunFile {
    return RunFile.#open(path, NEW, identity);
  }

  /** Goes the same way, and is of no run: what is said in it is gone. Closed. */
  static rehearse(identity: string): RunFile {
    const file = RunFile.#open('/dev/null', constants.O_WRONLY, identity);
    file.note('result', oneLine('null', MOST_PROGRESS_BYTES));
    closeSync(file.#fd);
    return file;
  }

  static #open(path: string, flags: number, identity: string): RunFile {
    const file = new RunFile(openSync(path, flags, 0o600));
    file.append(`claim 1 ${identity} ${Date.now()}`);
    return file;
  }

  /** One line, one write: lines of several writers don't mix. */
  append(line: string): void {
    writeSync(this.#fd, `${line}\n`);
  }

  /** What comes after the claim is a help, not the truth: a full disk doesn't end the run. */
  note(fact: 'progress' | 'result' | 'error' | 'exit', text: string): void {
    try {
      this.append(`${fact} ${text}`);
    } catch {
      // ENOSPC: the zygote tells the same of its end.
    }
  }
}

/** Line breaks as \n (backslash, n); cut where a character ends. */
export function oneLine(text: string, bytes: number): string {
  // The expression is left alone where it can be: each child would compile it anew.
  const broken = text.includes('\n') || text.includes('\r');
  const line = Buffer.from(broken ? text.replace(/\r\n|\n|\r/g, '\\n') : text);
  if (line.length <= bytes) return line.toString();
  let end = bytes;
  while (end > 0 && ((line[end] ?? 0) & 0xc0) === 0x80) end--;
  return line.toString('utf8', 0, end);
}
