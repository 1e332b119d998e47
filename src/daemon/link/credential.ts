import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/** What this host shows the cloud. */
export interface Credential {
  /** 32 random bytes, base64url. The cloud knows its digest only. */
  readonly secret: string;
  /** null: the cloud has not said yet that this host has joined. */
  readonly hostId: string | null;
  /** The last number that the cloud gave to a link of this host's; 0: none yet. */
  readonly incarnation: number;
}

const FOLDER = 'cloud';
const FILE = 'credential.json';
const SECRET = /^[A-Za-z0-9_-]{43}$/;
const HOST_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** The credential in `STATE/cloud/credential.json`: for nobody else's eyes, and on the disk before anything is built on it. */
export class CredentialFile {
  readonly path: string;
  readonly #folder: string;
  #last: Promise<void> = Promise.resolve();

  constructor(state: string) {
    this.#folder = path.join(state, FOLDER);
    this.path = path.join(this.#folder, FILE);
  }

  /** As it was last written, or a new one, which is on the disk when this resolves. */
  async obtain(): Promise<Credential> {
    const known = await this.#read();
    if (known !== null) return known;
    const made = { secret: randomBytes(32).toString('base64url'), hostId: null, incarnation: 0 };
    await this.write(made);
    return made;
  }

  async #read(): Promise<Credential | null> {
    let text: string;
    try {
      text = await fs.readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const credential = parseCredential(text);
    if (credential !== null) return credential;
    throw new Error(`${this.path} is damaged: remove it, and put a new token in place`);
  }

  /** Resolves when it is on the disk. One write after the other. */
  write(credential: Credential): Promise<void> {
    const written = this.#last.then(() => this.#write(credential));
    // Whoever asked hears of a failure; the next write only waits.
    this.#last = written.catch(() => undefined);
    return written;
  }

  async #write({ secret, hostId, incarnation }: Credential): Promise<void> {
    await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    // By process: in a takeover two may write.
    const temporary = `${this.path}.${process.pid}.new`;
    const file = await fs.open(temporary, 'w', 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(`${JSON.stringify({ secret, host_id: hostId, incarnation })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, this.path);
    await syncFolder(this.#folder);
  }
}

/** A name in a folder is on the disk with the folder: fsync(2). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** An id as the cloud gives it; what else it might say must not get into a header. */
export function isHostId(value: unknown): value is string {
  return typeof value === 'string' && HOST_ID.test(value);
}

function parseCredential(text: string): Credential | null {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof fields !== 'object' || fields === null) return null;
  const { secret, host_id: hostId, incarnation } = fields as Record<string, unknown>;
  if (typeof secret !== 'string' || !SECRET.test(secret)) return null;
  if (hostId !== null && !isHostId(hostId)) return null;
  if (typeof incarnation !== 'number' || !Number.isSafeInteger(incarnation)) return null;
  return { secret, hostId, incarnation };
}
