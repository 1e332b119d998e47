import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { formatBytes } from '../describe.ts';
import { type Finding, install } from './finding.ts';

/** statfs(2)'s f_type of cgroup v2. */
const CGROUP2_SUPER_MAGIC = 0x63677270;
const CGROUP_MOUNTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
/** The daemon's default limit of connections, and some for files. */
const WANTED_FILES = 24_000;
const WANTED_DISK_BYTES = 1_000_000_000;

/** The tools a pool is launched with, and Debian's package of each. */
const TOOLS = { setpriv: 'util-linux', prlimit: 'util-linux', nice: 'coreutils', perl: 'perl-base' } as const;

/** What does not depend on a runtime or on a daemon. */
export function machineChecks(stateFolder: string | undefined): Finding[] {
  return [
    node(),
    ...Object.entries(TOOLS).map(([name, debian]) => tool(name, debian)),
    kernel(),
    cgroup(),
    openFiles(),
    disk(stateFolder ?? (existsSync('/var/lib/rocksy') ? '/var/lib/rocksy' : './var')),
  ];
}

function node(): Finding {
  const [major = 0] = process.versions.node.split('.').map(Number);
  const detail = `v${process.versions.node} (${process.execPath})`;
  if (major >= 24) return { verdict: 'ok', name: 'node', detail };
  return {
    verdict: 'missing',
    name: 'node',
    detail: `${detail}, older than 24`,
    remedy: 'npm install -g node@24',
  };
}

function tool(name: string, debian: string): Finding {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
  if (found !== undefined) return { verdict: 'ok', name, detail: found };
  return { verdict: 'missing', name, detail: 'is not in PATH', remedy: install(debian) };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** pidfd_open came with 5.3, waitid(P_PIDFD) with 5.4, cgroup.kill with 5.14. */
function kernel(): Finding {
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  const version = major * 1000 + minor;
  const name = 'kernel';
  if (version < 5004) {
    return {
      verdict: 'missing',
      name,
      detail: `${release()} has no pidfd`,
      remedy: 'run Linux 5.4 or newer',
    };
  }
  if (version < 5014) {
    const detail = `${release()}: pidfd yes, cgroup.kill no (what runs leave behind is found as subreaper)`;
    return { verdict: 'warn', name, detail, remedy: 'run Linux 5.14 or newer' };
  }
  return { verdict: 'ok', name, detail: `${release()} (pidfd, cgroup.kill)` };
}

function cgroup(): Finding {
  const name = 'cgroup v2';
  const mount = CGROUP_MOUNTS.find(
    (path) => existsSync(path) && statfsSync(path).type === CGROUP2_SUPER_MAGIC,
  );
  const without = 'runs are cleaned up by subreaper instead';
  if (mount === undefined) {
    const remedy = 'start the system with systemd.unified_cgroup_hierarchy=1';
    return { verdict: 'warn', name, detail: `is not mounted: ${without}`, remedy };
  }
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  const folder = join(mount, own);
  try {
    accessSync(folder, constants.W_OK);
    return { verdict: 'ok', name, detail: `${folder} is writable` };
  } catch {
    const remedy = 'run rocksyd under systemd with Delegate=yes, or as root';
    return { verdict: 'warn', name, detail: `${folder} is not writable here: ${without}`, remedy };
  }
}

function openFiles(): Finding {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '0';
  const limit = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  const name = 'open files';
  if (limit >= WANTED_FILES) return { verdict: 'ok', name, detail: `up to ${hard}` };
  const remedy = `LimitNOFILE=${WANTED_FILES} in the unit, or ulimit -Hn ${WANTED_FILES} as root`;
  return { verdict: 'warn', name, detail: `up to ${hard}: too few for 20,000 connections`, remedy };
}

function disk(stateFolder: string): Finding {
  let folder = resolve(stateFolder);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const name = 'disk';
  const detail = `${formatBytes(free)} free for ${resolve(stateFolder)}`;
  if (free >= WANTED_DISK_BYTES) return { verdict: 'ok', name, detail };
  return {
    verdict: 'warn',
    name,
    detail,
    remedy: 'free some space, or set `state` to another disk in rocksyd.yaml',
  };
}
