import { accessSync, closeSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootId, type FileAction, memfd, spawn } from '../../posix/index.ts';
import type { ZygoteConfig } from '../contract.ts';
import { TEST_VARIABLES } from '../serving/index.ts';
import type { ByteEnv } from './environment.ts';
import type { CommandStart } from './request.ts';

const SHIM = fileURLToPath(new URL('./shim.pl', import.meta.url));
const REPORT_FD = 3;
const INSTRUCTIONS_FD = 4;

/** Numbers for the shim's syscall(): arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h. */
const SYSCALLS: {
  readonly [arch: string]: { readonly setsid: number; readonly prctl: number; readonly clockGettime: number };
} = {
  x64: { setsid: 112, prctl: 157, clockGettime: 228 },
  arm64: { setsid: 157, prctl: 167, clockGettime: 113 },
};

/** What is the same for every child of this zygote. */
export interface ChildMaker {
  readonly pool: string;
  /** Absolute path of the folder of run files and logs. */
  readonly runs: string;
  readonly perl: string;
  readonly env: ByteEnv;
  readonly bootId: string;
  readonly setsid: number;
  /** 0: what a run leaves behind is not gathered below it. */
  readonly prctl: number;
  readonly clockGettime: number;
  /** Our copy of the end that children report on. */
  readonly reportFd: number;
}

/** Throws with a message for the boot log when this machine can't start children. */
export function childMaker(config: ZygoteConfig, env: ByteEnv, reportFd: number): ChildMaker {
  const numbers = SYSCALLS[process.arch];
  if (numbers === undefined) {
    throw new Error(
      `the runtime 'command' knows ${Object.keys(SYSCALLS).join(' and ')}, not ${process.arch}`,
    );
  }
  return {
    pool: config.pool,
    runs: config.runs,
    perl: findPerl(),
    env,
    bootId: bootId(),
    setsid: numbers.setsid,
    prctl: config.leave_children ? 0 : numbers.prctl,
    clockGettime: numbers.clockGettime,
    reportFd,
  };
}

/** The system's own first: its modules and version are those that the shim was tried with. */
function findPerl(): string {
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.map((folder) => join(folder, 'perl')).find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    "the runtime 'command' starts commands through perl, which is not there: install the package perl-base (Debian, Ubuntu) or perl",
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return path.startsWith('/');
  } catch {
    return false;
  }
}

export function runFile(maker: ChildMaker, file: string): string {
  return join(maker.runs, `${file}.run`);
}

/**
 * Starts shim.pl, which forks the child of the run, soon to be the command, and leaves at once. The child leads a session
 * of its own and becomes a child of this process, a subreaper; both are reaped here. It holds, of ours, nothing but what
 * stands here, and keeps 0 to 2 only. Throws a PosixError: EAGAIN, ENOMEM, EMFILE.
 */
export function spawnChild(maker: ChildMaker, start: CommandStart): number {
  const opened: number[] = [];
  const open = (name: string, content: string | Uint8Array): number => {
    const fd = memfd(name, content);
    opened.push(fd);
    return fd;
  };
  try {
    const stdin: FileAction =
      start.stdin === null
        ? { do: 'open', fd: 0, path: '/dev/null', flags: constants.O_RDONLY, mode: 0 }
        : { do: 'dup2', from: open('rocksy-stdin', start.stdin), to: 0 };
    const instructions = open('rocksy-instructions', encodeInstructions(maker, start));
    const fileActions: FileAction[] = [
      stdin,
      // Node makes what it finds at its start close-on-exec (uv_disable_stdio_inheritance); this undoes it in the child.
      { do: 'dup2', from: 1, to: 1 },
      { do: 'dup2', from: 2, to: 2 },
      // 3 is our listening socket, so nothing that is still to be copied stands there; 4 is filled last.
      { do: 'dup2', from: maker.reportFd, to: REPORT_FD },
      { do: 'dup2', from: instructions, to: INSTRUCTIONS_FD },
    ];
    return spawn({ file: maker.perl, argv: ['perl', '-f', SHIM], env: TEST_ENV, fileActions });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** The shim's own environment: empty but for the fault tests. The run's comes with its instructions. */
const TEST_ENV = Object.fromEntries(
  TEST_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  }),
);

/** The fields that shim.pl reads, in its order, each ended by a NUL. */
export function encodeInstructions(maker: ChildMaker, start: CommandStart): Buffer {
  const fields = [
    runFile(maker, start.file),
    join(maker.runs, start.log),
    start.cwd,
    maker.bootId,
    String(maker.setsid),
    String(maker.prctl),
    String(maker.clockGettime),
    String(start.argv.length),
    ...start.argv,
  ].map(bytes);
  const env = [...runEnv(maker, start)].map(([name, value]) => `${name}=${value}`);
  return Buffer.from([...fields, ...env].map((field) => `${field}\0`).join(''), 'latin1');
}

/** Later ones win: a request can't pass itself off as another run. */
function runEnv(maker: ChildMaker, start: CommandStart): ByteEnv {
  const env = new Map(maker.env);
  for (const [name, value] of Object.entries(start.env)) env.set(bytes(name), bytes(value));
  env.set('ROCKSY_KEY', bytes(start.key));
  env.set('ROCKSY_POOL', bytes(maker.pool));
  env.set('ROCKSY_RUN_FILE', bytes(runFile(maker, start.file)));
  env.delete('ROCKSY_ZYGOTE');
  return env;
}

/** UTF-8 as a string with a character for each byte. */
function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
