import fs from 'node:fs';
import path from 'node:path';

/**
 * Tells when one of some files changes. Their folders are watched: whoever saves by renaming puts another file there, and
 * one that is not there yet may come.
 */
export class Files implements Disposable {
  readonly #watchers: fs.FSWatcher[] = [];

  constructor(files: readonly string[], changed: (file: string) => void) {
    for (const [folder, inside] of Map.groupBy(files, (file) => path.dirname(file))) {
      const names = new Set(inside.map((file) => path.basename(file)));
      const watcher = watchFolder(folder, (name) => {
        if (names.has(name)) changed(path.join(folder, name));
      });
      if (watcher !== null) this.#watchers.push(watcher);
    }
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}

/** Null where it is not there, or is not ours to look into. */
function watchFolder(folder: string, named: (name: string) => void): fs.FSWatcher | null {
  try {
    const watcher = fs.watch(folder, { persistent: false }, (_event, name) => name !== null && named(name));
    // Its folder is gone: whoever has asked looks for that.
    return watcher.on('error', () => watcher.close());
  } catch {
    return null;
  }
}
