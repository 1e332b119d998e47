// Compiled code is kept for the next start. Node itself never removes any of it, and has new files for each path that a
// release is installed in; so each installation has a folder of its own, and those that are not used any more go.
const { promises: fs, statSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const { homedir } = require('node:os');
const { join } = require('node:path');

const DAY_MS = 24 * 60 * 60 * 1000;
const UNUSED_MS = 30 * DAY_MS;
/** Of installations: releases, checkouts. One has a few MiB for each version of Node. */
const MAX_FOLDERS = 10;

/** In the home directory: nobody else can write to it (Node's default is in /tmp). */
const all = join(homedir(), '.cache', 'rocksy');
/** By its path; a name can't be longer than 255 bytes. */
const own = join(all, encodeURIComponent(__dirname).slice(-200));

exports.enable = () => {
  enableCompileCache(own);
};

/**
 * Once a day, and at the first start of an installation: notes the use, and removes the folder that was not used for
 * longest, where it is one too many or too old. One at a time, beside what the program does: nobody waits for it.
 */
exports.tidy = async () => {
  try {
    if (isNoted()) return;
    const now = new Date();
    await fs.writeFile(join(own, 'used'), '');
    await fs.utimes(join(own, 'used'), now, now);
    const folders = await Promise.all((await fs.readdir(all)).map(use));
    const [oldest] = folders.sort((a, b) => a.usedMs - b.usedMs);
    if (folders.length > MAX_FOLDERS || now.getTime() - oldest.usedMs > UNUSED_MS) {
      await fs.rm(oldest.folder, { recursive: true, force: true });
    }
  } catch {
    // No home, or none to write to: there is no cache then. Or another start was faster.
  }
};

function isNoted() {
  const noted = statSync(join(own, 'used'), { throwIfNoEntry: false });
  return noted !== undefined && Date.now() - noted.mtimeMs < DAY_MS;
}

/** A folder of before there were notes counts by its own time. */
async function use(name) {
  const folder = join(all, name);
  const { mtimeMs } = await fs.stat(join(folder, 'used')).catch(() => fs.stat(folder));
  return { folder, usedMs: mtimeMs };
}
