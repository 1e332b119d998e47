// One keeper for one folder: flock(2) on the file `lock` in it.
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { flockExclusive } from '../posix/index.ts';
import { KeeperError } from './options.ts';
import { type Patience, whenFree } from './waiting.ts';

export interface Lock {
  release(): void;
}

/**
 * The kernel drops the lock when the last copy of its descriptor is closed, so also after kill -9. The descriptor is
 * close-on-exec: no worker keeps the lock alive past its keeper. The file is never removed: a keeper that waits may
 * have it open already, and would lock a file that nobody else sees.
 */
export async function acquireLock(lockDir: string, patience: Patience): Promise<Lock> {
  const path = join(lockDir, 'lock');
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await whenFree(
      () =>
        flockExclusive(fd)
          ? { free: true, value: undefined }
          : { free: false, error: lockHeld(path, lockDir) },
      patience,
    );
    ftruncateSync(fd);
    writeSync(fd, `held by flock(2); this text is for people only\n${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return {
    release() {
      ftruncateSync(fd);
      closeSync(fd);
    },
  };
}

function lockHeld(path: string, lockDir: string): KeeperError {
  // Empty for the moment between its holder's flock and write.
  const pid = readFileSync(path, 'utf8').split('\n')[1] || 'unknown';
  return new KeeperError(
    'lock_held',
    `${lockDir} is in use: its lock ${path} is held by process ${pid}`,
    `stop process ${pid} first, or give this one a folder of its own`,
  );
}
