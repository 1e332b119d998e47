import fs from 'node:fs';
import path from 'node:path';
import { statOf } from './sources.ts';

/** More than any project has of its own. */
const MAX_FOLDERS = 20_000;

export interface TreeOptions {
  /** Real paths. */
  readonly roots: readonly string[];
  readonly isEntered: (folder: string, root: string) => boolean;
  readonly isSource: (file: string) => boolean;
  readonly changed: (file: string) => void;
  /** Something can't be watched: what, and what to do about it. */
  readonly failed: (message: string) => void;
}

export interface Change {
  readonly file: string;
  /** Unix time. */
  readonly ms: number;
}

interface Folder {
  /** The same path may be another folder after a while. */
  readonly identity: string | null;
  readonly watcher: fs.FSWatcher;
  readonly root: string;
}

/**
 * Tells which source files below some folders change, are made or taken away. One inotify watch a folder: Node's own
 * recursive watch has one a file, knows no exceptions and reads the whole tree in one go.
 */
export class Tree implements Disposable {
  readonly #options: TreeOptions;
  readonly #folders = new Map<string, Folder>();
  #isClosed = false;
  #isFull = false;

  constructor(options: TreeOptions) {
    this.#options = options;
  }

  /** Begins to watch; resolves with the last change of a source file, or of its name, until then. */
  async open(): Promise<Change | null> {
    let newest: Change | null = null;
    await this.#enterAll(
      this.#options.roots.map((root) => [root, root]),
      (file) => {
        const ms = ctimeOf(file);
        if (newest === null || ms > newest.ms) newest = { file, ms };
      },
    );
    return newest;
  }

  get size(): number {
    return this.#folders.size;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  /** Breadth first: where there is no end to it, what is near the root is watched at least. */
  async #enterAll(queue: [folder: string, root: string][], found: (file: string) => void): Promise<void> {
    for (const [folder, root] of queue) {
      if (this.#isClosed) return;
      if (this.#folders.has(folder) || !this.#watch(folder, root)) continue;
      // After the watch has begun: what is made meanwhile is seen twice rather than never.
      for (const entry of await entriesOf(folder)) {
        const file = path.join(folder, entry.name);
        const below = folderBehind(file, entry);
        if (below === null) {
          if (this.#options.isSource(file)) found(file);
        } else if (this.#options.isEntered(below, root)) queue.push([below, root]);
      }
    }
  }

  #watch(folder: string, root: string): boolean {
    if (this.#isFull) return false;
    if (this.#folders.size >= MAX_FOLDERS) {
      this.#giveUp(
        `there are more than ${MAX_FOLDERS} folders below ${root}`,
        'put rocksyd.yaml into the folder of the application',
      );
      return false;
    }
    try {
      const watcher = fs.watch(folder, { persistent: false }, (event, name) => {
        if (name !== null) this.#noticed(event, folder, name);
      });
      watcher.on('error', () => this.#leave(folder));
      this.#folders.set(folder, { identity: folderIdentity(folder), watcher, root });
      return true;
    } catch (error) {
      this.#explain(folder, error as NodeJS.ErrnoException);
      return false;
    }
  }

  #explain(folder: string, error: NodeJS.ErrnoException): void {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return;
    if (error.code === 'ENOSPC') {
      const limit = Number(fs.readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8'));
      this.#giveUp(
        `the system has no watch left for ${folder} (fs.inotify.max_user_watches is ${limit}, for all programs of a user)`,
        `sysctl fs.inotify.max_user_watches=${Math.max(524_288, 2 * limit)}`,
      );
    } else if (error.code === 'EMFILE') {
      this.#giveUp(
        `the system has no watch left for ${folder} (fs.inotify.max_user_instances)`,
        'sysctl fs.inotify.max_user_instances=1024',
      );
    } else this.#options.failed(`${folder} can't be watched: ${error.message}`);
  }

  /** Said once, and not for each of the folders that follow. */
  #giveUp(what: string, remedy: string): void {
    this.#isFull = true;
    this.#options.failed(`${what}: only changes in ${this.#folders.size} folders are seen (${remedy})`);
  }

  #noticed(event: 'rename' | 'change', folder: string, name: string): void {
    const file = path.join(folder, name);
    if (this.#options.isSource(file)) this.#options.changed(file);
    // A file that has grown, not a name that was made or taken away.
    if (event === 'change') return;
    const root = this.#folders.get(folder)?.root;
    if (root !== undefined) void this.#nameChanged(file, root);
  }

  /** Whatever had this name is not it any more; if it is a folder now, all that is in it is new. */
  async #nameChanged(file: string, root: string): Promise<void> {
    const stat = fs.lstatSync(file, { throwIfNoEntry: false });
    const known = this.#folders.get(file);
    if (known !== undefined && known.identity !== folderIdentity(file)) {
      for (const folder of this.#folders.keys()) {
        if (folder === file || folder.startsWith(`${file}/`)) this.#leave(folder);
      }
      this.#options.changed(file);
    }
    const folder = stat === undefined ? null : folderBehind(file, stat);
    if (folder !== null && this.#options.isEntered(folder, root)) {
      await this.#enterAll([[folder, root]], this.#options.changed);
    }
  }

  #leave(folder: string): void {
    this.#folders.get(folder)?.watcher.close();
    this.#folders.delete(folder);
  }
}

/** Tells a folder from one that was made in its place, which may get the same inode. Null: there is none. */
export function folderIdentity(folder: string): string | null {
  const stat = statOf(folder);
  return stat?.isDirectory() === true ? `${stat.ino} ${stat.birthtimeMs}` : null;
}

/** The real path of the folder that this is, or that this link leads to; null: it is none. */
function folderBehind(file: string, kind: Pick<fs.Stats, 'isDirectory' | 'isSymbolicLink'>): string | null {
  if (kind.isDirectory()) return file;
  if (!kind.isSymbolicLink()) return null;
  try {
    return fs.statSync(file).isDirectory() ? fs.realpathSync(file) : null;
  } catch {
    // It leads nowhere, or in a circle.
    return null;
  }
}

async function entriesOf(folder: string): Promise<fs.Dirent[]> {
  try {
    return await fs.promises.readdir(folder, { withFileTypes: true });
  } catch {
    // It is gone again, or is not ours to read: its watch has said so.
    return [];
  }
}

function ctimeOf(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0;
}
