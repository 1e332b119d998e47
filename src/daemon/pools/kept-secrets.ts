import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** In memory, and gone with the machine's next start, as the zygotes are: shm_overview(7). */
const MEMORY = '/dev/shm';
/** statfs(2). */
const TMPFS_MAGIC = 0x01021994;

/**
 * Keeps values for the next daemon, so that it can hide what the generations know that it finds: in a file that is held
 * in memory, never on a disk, and that only the daemon's user can read. `link` is a symbolic link to it, in a folder of
 * the daemon's own: nobody else can tell the name, or put another file in its place.
 * Throws what the system says (ENOSPC), or that there is no such memory.
 */
export function keepSecrets(link: string, values: readonly string[]): void {
  forgetSecrets(link);
  if (fs.statfsSync(MEMORY).type !== TMPFS_MAGIC) throw new Error(`${MEMORY} is not held in memory (tmpfs)`);
  const file = path.join(MEMORY, `rocksyd-${randomBytes(16).toString('hex')}`);
  // First the link: a file that nothing points to would stay until the machine is started again.
  fs.symlinkSync(file, link);
  fs.writeFileSync(file, JSON.stringify(values), { mode: 0o600, flag: 'wx' });
}

/** What is kept there; null when nothing is, or nothing that we have written. */
export function recallSecrets(link: string): readonly string[] | null {
  try {
    const fd = fs.openSync(fs.readlinkSync(link), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const { uid, mode } = fs.fstatSync(fd);
      if (uid !== process.getuid?.() || (mode & 0o077) !== 0) return null;
      return JSON.parse(fs.readFileSync(fd, 'utf8')) as readonly string[];
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // It is gone, or was not written to its end.
    return null;
  }
}

export function forgetSecrets(link: string): void {
  let file: string;
  try {
    file = fs.readlinkSync(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (path.dirname(file) === MEMORY) fs.rmSync(file, { force: true });
  fs.rmSync(link, { force: true });
}
