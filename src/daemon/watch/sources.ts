import fs from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { PoolConfig } from '../config/index.ts';

/** inode(7): of folders that everybody may write to. */
const STICKY = 0o1000;

/** Whoever climbs from a file of a project comes to its root where one of these stands. */
const MARKERS = [
  'composer.json',
  'package.json',
  'pyproject.toml',
  'setup.py',
  'requirements.txt',
  'manage.py',
  '.git',
];

/** What the languages call their files. */
const CODE: Readonly<Record<PoolConfig['runtime'], readonly string[]>> = {
  php: ['php', 'phtml', 'inc', 'twig', 'latte', 'neon'],
  python: ['py', 'j2', 'jinja', 'jinja2'],
  node: ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'node', 'wasm'],
  command: [],
};

/**
 * What applications of any language read as they load. Logs, databases, and the temporary files of editors are not
 * among them: what is written beside the code by its own runs must not reload it.
 */
const READ_BY_ALL = ['json', 'yaml', 'yml', 'toml', 'ini', 'xml', 'html', 'env'];

/** Dependencies, wherever they stand: tens of thousands of folders that nobody edits. */
const DEPENDENCIES: ReadonlySet<string> = new Set(['node_modules', 'vendor', '__pycache__']);

/** Where applications write, at the top of a project only: `src/cache` is as likely code. */
const WRITTEN: ReadonlySet<string> = new Set([
  'var',
  'tmp',
  'temp',
  'log',
  'logs',
  'cache',
  'bootstrap/cache',
  'storage/framework',
  'storage/logs',
]);

/** What of the disk is the code of one pool. */
export interface Sources {
  /** Folders, real paths. None of them lies in another. */
  readonly roots: readonly string[];
  /** Files that count wherever they are, whatever their name. */
  readonly files: readonly string[];
}

type Code = Pick<PoolConfig, 'bootstrap' | 'jobs' | 'envFiles' | 'secrets'>;

/** @param dir the folder of the configuration, which the zygote is started in */
export function sourcesOf(pool: Code, dir: string): Sources {
  const starts = [pool.bootstrap, pool.jobs].flatMap((file) => (file === null ? [] : (realPath(file) ?? [])));
  const roots = starts.map((file) =>
    rootOf(statOf(file)?.isDirectory() === true ? file : path.dirname(file), realPath(dir) ?? dir),
  );
  const secrets = [...pool.secrets.values()].flatMap((source) =>
    source.kind === 'file' ? [source.path] : [],
  );
  return {
    roots: [...new Set(roots)].filter((root) => !roots.some((other) => isBelow(root, other))).sort(),
    files: [...new Set([...starts, ...pool.envFiles, ...secrets])],
  };
}

/**
 * The project that a folder belongs to: the nearest folder from it upward with a marker, or the configuration's folder,
 * whichever has more in it; with neither above it, the folder itself.
 */
function rootOf(folder: string, dir: string): string {
  const above = upward(folder).filter((each) => each === folder || !isCommonGround(each));
  const marked = above.find((each) => MARKERS.some((name) => fs.existsSync(path.join(each, name))));
  const configured = above.find((each) => each === dir);
  const [first, second] = [marked ?? configured ?? folder, configured ?? marked ?? folder];
  return first.length < second.length ? first : second;
}

/** A stray package.json in /tmp or at home makes no project of all that lies there. */
function isCommonGround(folder: string): boolean {
  return folder === '/' || folder === homedir() || ((statOf(folder)?.mode ?? 0) & STICKY) !== 0;
}

function upward(folder: string): string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [folder] : [folder, ...upward(parent)];
}

/** Whether a file of this name is code of such a pool, or read by it. */
export function isSource(name: string, runtime: PoolConfig['runtime']): boolean {
  // .env, .env.local
  if (/^\.env(\.[\w-]+)?$/.test(name)) return true;
  // Editors' own: .#name, .name.swp
  if (name.startsWith('.')) return false;
  const extension = path.extname(name).slice(1);
  return CODE[runtime].includes(extension) || READ_BY_ALL.includes(extension);
}

/** Whether changes below a folder of a project may be changes of its code. */
export function isEntered(folder: string, root: string): boolean {
  const name = path.basename(folder);
  if (name.startsWith('.') || DEPENDENCIES.has(name) || WRITTEN.has(path.relative(root, folder)))
    return false;
  // A link that leads out of the project to a folder around it.
  if (isBelow(root, folder)) return false;
  // A virtual environment of Python's, whatever it is called.
  return !fs.existsSync(path.join(folder, 'pyvenv.cfg'));
}

export function isBelow(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** Null where nothing is. */
export function realPath(file: string): string | null {
  return orNull(() => fs.realpathSync(file));
}

/** Null where nothing is. */
export function statOf(file: string): fs.Stats | null {
  return orNull(() => fs.statSync(file));
}

/** What is looked at here may be taken away, replaced, or closed to us at any moment. */
function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
