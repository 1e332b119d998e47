import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Account } from '../../zygote/index.ts';

/** What is known on disk of a generation that may still live. */
export interface GenerationFiles {
  readonly number: number;
  readonly socket: string;
  readonly bootLog: string;
  readonly note: string;
}

/** What a daemon leaves for the next one about a generation. */
export interface GenerationNote {
  /** Of everything that it was started with; another one means: the configuration has changed since. */
  readonly fingerprint: string;
  readonly startedMs: number;
}

const KEPT_BOOT_LOGS = 10;

/**
 * A pool's folder, `STATE/pools/NAME`. It belongs to the daemon, so that the pool's user can't put anything else in
 * the place of sockets; `runs` in it belongs to the pool's user, whose children write there.
 */
export class PoolFolder {
  readonly path: string;
  readonly runs: string;
  /** Where the daemon notes what it knows about logs (times, removed parts). */
  readonly notes: string;

  constructor(state: string, pool: string) {
    this.path = path.join(state, 'pools', pool);
    this.runs = path.join(this.path, 'runs');
    this.notes = path.join(this.path, 'notes');
  }

  create(account: Account | null): void {
    fs.mkdirSync(this.path, { recursive: true, mode: 0o711 });
    fs.mkdirSync(this.runs, { recursive: true, mode: 0o700 });
    fs.mkdirSync(this.notes, { recursive: true, mode: 0o700 });
    if (account !== null) fs.chownSync(this.runs, account.uid, account.gid);
  }

  files(number: number): GenerationFiles {
    const base = path.join(this.path, `gen-${number}`);
    return { number, socket: `${base}.sock`, bootLog: `${base}.log`, note: `${base}.json` };
  }

  /** Generations that have left a socket, oldest first. */
  withSocket(): GenerationFiles[] {
    return this.#numbers('sock').map((number) => this.files(number));
  }

  nextNumber(): number {
    return Math.max(0, ...['sock', 'log', 'json'].flatMap((kind) => this.#numbers(kind))) + 1;
  }

  /** Forgets a generation that is gone; its boot log stays for a while. */
  remove(files: GenerationFiles): void {
    fs.rmSync(files.socket, { force: true });
    fs.rmSync(files.note, { force: true });
    for (const old of this.#numbers('log').slice(0, -KEPT_BOOT_LOGS)) {
      fs.rmSync(this.files(old).bootLog, { force: true });
    }
  }

  writeNote(files: GenerationFiles, note: GenerationNote): void {
    fs.writeFileSync(files.note, JSON.stringify(note), { mode: 0o600 });
  }

  readNote(files: GenerationFiles): GenerationNote | null {
    try {
      return JSON.parse(fs.readFileSync(files.note, 'utf8')) as GenerationNote;
    } catch {
      // Without a readable note the generation counts as one of another configuration: it drains.
      return null;
    }
  }

  #numbers(extension: string): number[] {
    const pattern = new RegExp(`^gen-(\\d+)\\.${extension}$`);
    return fs
      .readdirSync(this.path)
      .flatMap((name) => Number(pattern.exec(name)?.[1] ?? Number.NaN))
      .filter((number) => !Number.isNaN(number))
      .sort((a, b) => a - b);
  }
}

export function fingerprint(value: unknown): string {
  const text = JSON.stringify(value, (_key, part) => (part instanceof Map ? [...part] : part));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
