// posix_spawn: a child that nobody but its parent's own wait4 reaps (child_process would reap it behind our back).
import { define, PosixError } from './libc.ts';

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
// sizeof(posix_spawnattr_t) is 336 and sizeof(posix_spawn_file_actions_t) 80 in glibc 2.36 (x64, arm64), less in musl.
const SIZEOF_ATTRIBUTES = 512;
const SIZEOF_FILE_ACTIONS = 128;
const SIZEOF_SIGSET = 128;
const EINVAL = 22;

type Bytes = Buffer;
const c = {
  spawnp: define<[Bytes, string, Bytes, Bytes, (string | null)[], (string | null)[]]>(
    'int posix_spawnp(void *, const char *, void *, void *, const char **, const char **)',
  ),
  attrInit: define<[Bytes]>('int posix_spawnattr_init(void *)'),
  attrDestroy: define<[Bytes]>('int posix_spawnattr_destroy(void *)'),
  setFlags: define<[Bytes, number]>('int posix_spawnattr_setflags(void *, short)'),
  setSigMask: define<[Bytes, Bytes]>('int posix_spawnattr_setsigmask(void *, void *)'),
  setSigDefault: define<[Bytes, Bytes]>('int posix_spawnattr_setsigdefault(void *, void *)'),
  actionsInit: define<[Bytes]>('int posix_spawn_file_actions_init(void *)'),
  actionsDestroy: define<[Bytes]>('int posix_spawn_file_actions_destroy(void *)'),
  addOpen: define<[Bytes, number, string, number, number]>(
    'int posix_spawn_file_actions_addopen(void *, int, const char *, int, unsigned int)',
  ),
  addDup2: define<[Bytes, number, number]>('int posix_spawn_file_actions_adddup2(void *, int, int)'),
  addClose: define<[Bytes, number]>('int posix_spawn_file_actions_addclose(void *, int)'),
  addChdir: define<[Bytes, string]>('int posix_spawn_file_actions_addchdir_np(void *, const char *)'),
};

/** What the child does with its descriptors, in this order, before it becomes the program. */
export type FileAction =
  /** `from === to` clears close-on-exec (glibc 2.29 on). */
  | { readonly do: 'dup2'; readonly from: number; readonly to: number }
  /** `flags` and `mode` of open(2); `fs.constants` has the flags. */
  | {
      readonly do: 'open';
      readonly fd: number;
      readonly path: string;
      readonly flags: number;
      readonly mode: number;
    }
  | { readonly do: 'close'; readonly fd: number }
  /** Later relative paths, the program's own too, start here. */
  | { readonly do: 'chdir'; readonly path: string };

export interface SpawnOptions {
  /** With a slash a path, else searched in this process's own PATH. */
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly fileActions: readonly FileAction[];
}

/**
 * Starts a program as leader of its own session, with no signal blocked and every signal at its default, and returns
 * its pid. Descriptors marked close-on-exec stay behind. Returns once the program runs, so a failure to start it is
 * thrown here: ENOENT, EACCES, ENOEXEC, ENOTDIR (chdir), EAGAIN (too many processes), ENOMEM, E2BIG: posix_spawn(3).
 * Whoever calls this reaps the child, by wait4.
 */
export function spawn({ file, argv, env, fileActions }: SpawnOptions): number {
  rejectNul([file, ...argv, ...Object.entries(env).flat()]);
  const attributes = Buffer.alloc(SIZEOF_ATTRIBUTES);
  const actions = Buffer.alloc(SIZEOF_FILE_ACTIONS);
  const pid = Buffer.alloc(4);
  const subject = `program ${file}`;
  checked('posix_spawnattr_init', subject, () => c.attrInit(attributes));
  try {
    setSessionAndSignals(attributes, subject);
    checked('posix_spawn_file_actions_init', subject, () => c.actionsInit(actions));
    try {
      for (const action of fileActions)
        checked('posix_spawn_file_actions', subject, () => add(actions, action));
      const envp = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      checked('posix_spawn', subject, () =>
        c.spawnp(pid, file, actions, attributes, [...argv, null], [...envp, null]),
      );
      return pid.readInt32LE();
    } finally {
      c.actionsDestroy(actions);
    }
  } finally {
    c.attrDestroy(attributes);
  }
}

function setSessionAndSignals(attributes: Bytes, subject: string): void {
  const none = Buffer.alloc(SIZEOF_SIGSET);
  // Not sigfillset(3): it leaves out the two signals of glibc's own, and posix_spawn ignores them in the child then, for
  // all its life: sysdeps/unix/sysv/linux/spawni.c.
  const all = Buffer.alloc(SIZEOF_SIGSET, 0xff);
  const flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  checked('posix_spawnattr_setflags', subject, () => c.setFlags(attributes, flags));
  checked('posix_spawnattr_setsigmask', subject, () => c.setSigMask(attributes, none));
  checked('posix_spawnattr_setsigdefault', subject, () => c.setSigDefault(attributes, all));
}

function add(actions: Bytes, action: FileAction): number {
  switch (action.do) {
    case 'dup2':
      return c.addDup2(actions, action.from, action.to);
    case 'open':
      return c.addOpen(actions, action.fd, action.path, action.flags, action.mode);
    case 'close':
      return c.addClose(actions, action.fd);
    case 'chdir':
      return c.addChdir(actions, action.path);
  }
}

/** posix_spawn(3) and its kin return the error number and leave errno alone. */
function checked(name: string, subject: string, invoke: () => number): void {
  const error = invoke();
  if (error !== 0) throw new PosixError(name, error, subject);
}

/** A C string ends at its first NUL: what stands behind it would be lost without a word. */
function rejectNul(texts: readonly string[]): void {
  if (texts.some((text) => text.includes('\0')))
    throw new PosixError('posix_spawn', EINVAL, 'an argument holds a NUL byte');
}
