import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { ProcessName } from '../../posix/index.ts';
import { RocksyError } from '../../wire/index.ts';
import type { Account } from '../../zygote/index.ts';

/** What is known on disk of a generation that may still live. */
export interface GenerationFiles {
  readonly number: number;
  readonly socket: string;
  readonly bootLog: string;
  readonly note: string;
  /** Leads to where the secrets are kept that it was started with. */
  readonly secrets: string;
}

/** What a daemon leaves for the next one about a generation. */
export interface GenerationNote {
  /** Of everything that it was started with; another one means: the configuration has changed since. */
  readonly fingerprint: string;
  readonly startedMs: number;
  readonly process: ProcessName;
  /** Whether it has passed inspection and probe. One that has not is no zygote to go on with. */
  readonly proved: boolean;
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

  /**
   * Makes what is not there yet. Returns the user that the runs' files belong to.
   * Throws where somebody else could have put something in the folder's place, and where the pool's user has changed.
   */
  create(account: Account | null): number {
    fs.mkdirSync(this.path, { recursive: true, mode: 0o711 });
    assertOwn(this.path);
    fs.mkdirSync(this.notes, { recursive: true, mode: 0o700 });
    if (fs.lstatSync(this.runs, { throwIfNoEntry: false }) === undefined) {
      fs.mkdirSync(this.runs, { mode: 0o700 });
      if (account !== null) fs.lchownSync(this.runs, account.uid, account.gid);
    }
    return fs.lstatSync(this.runs).uid;
  }

  files(number: number): GenerationFiles {
    const base = path.join(this.path, `gen-${number}`);
    return {
      number,
      socket: `${base}.sock`,
      bootLog: `${base}.log`,
      note: `${base}.json`,
      secrets: `${base}.secrets`,
    };
  }

  /** Generations that have left a socket, oldest first. */
  withSocket(): GenerationFiles[] {
    return this.#numbers('sock').map((number) => this.files(number));
  }

  /** Generations whose secrets are kept. */
  withSecrets(): GenerationFiles[] {
    return this.#numbers('secrets').map((number) => this.files(number));
  }

  /** Generations that live, or have left a boot log. */
  remembered(): number[] {
    return [...this.#numbers('sock'), ...this.#numbers('log')];
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
    fs.writeFileSync(`${files.note}.new`, JSON.stringify(note), { mode: 0o600 });
    fs.renameSync(`${files.note}.new`, files.note);
  }

  readNote(files: GenerationFiles): GenerationNote | null {
    try {
      return JSON.parse(fs.readFileSync(files.note, 'utf8')) as GenerationNote;
    } catch {
      // It was being started when its daemon died: nothing is known of it.
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

/** A folder that only the daemon's user can change: whoever else could would lead a daemon that is root astray. */
export function assertOwn(folder: string): void {
  const stats = fs.lstatSync(folder);
  const uid = process.getuid?.() ?? 0;
  if (stats.isDirectory() && stats.uid === uid && (stats.mode & 0o022) === 0) return;
  throw new RocksyError(
    'state_unwritable',
    `${folder} has to be a folder of user ${uid} that nobody else can write to`,
    {
      hint: `chown ${uid} '${folder}' && chmod go-w '${folder}', or choose another state directory`,
    },
  );
}

export function fingerprint(value: unknown): string {
  const text = JSON.stringify(value, (_key, part) => (part instanceof Map ? [...part] : part));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
