import { spawn } from 'node:child_process';
import os from 'node:os';

/** How a command that tells a secret is run. */
export interface SecretCommand {
  /** Absolute path. */
  readonly program: string;
  /** Its name, and its arguments. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Of its output. */
  readonly maxBytes: number;
}

/** Its reason completes "the command …"; nothing that the command has printed is in it. */
export type CommandOutput = { readonly output: Buffer } | { readonly problem: string };

/**
 * Runs the command as the daemon's user and resolves with what it prints. It leads a process group, which is killed when
 * it takes too long, prints too much, nobody wants it any more, or we end: it is ours until then. What it prints as
 * errors goes nowhere: it may well be the secret.
 */
export async function outputOf(command: SecretCommand, signal: AbortSignal): Promise<CommandOutput> {
  if (signal.aborted) return { problem: 'is not wanted any more' };
  const [argv0 = command.program, ...args] = command.argv;
  const child = spawn(command.program, args, {
    argv0,
    cwd: command.cwd,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { promise, resolve } = Promise.withResolvers<CommandOutput>();
  child.once('error', (error: NodeJS.ErrnoException) => resolve({ problem: `can't be run (${error.code})` }));
  const kill = (): void => killGroup(child.pid);
  const giveUp = (problem: string): void => {
    resolve({ problem });
    kill();
    // Whoever has left the group may hold the pipe open: it is not waited for.
    child.stdout.destroy();
  };
  const late = setTimeout(() => giveUp(`was not done after ${command.timeoutMs} ms`), command.timeoutMs);
  const unwanted = (): void => giveUp('is not wanted any more');
  signal.addEventListener('abort', unwanted, { once: true });
  process.once('exit', kill);

  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > command.maxBytes) giveUp(`prints more than ${command.maxBytes} bytes`);
    else chunks.push(chunk);
  });
  child.once('close', (code, by) => {
    if (code === 0) resolve({ output: Buffer.concat(chunks) });
    else resolve({ problem: by === null ? `ended with code ${code}` : `was ended by ${by}` });
  });
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', unwanted);
    process.off('exit', kill);
  }
}

/** ESRCH: none of them is left. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What somebody who logs in has, and where systemd has put the service's credentials: the command's own may be one. */
function environment(): Record<string, string> {
  const kept = ['PATH', 'USER', 'LOGNAME', 'LANG', 'CREDENTIALS_DIRECTORY'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { HOME: os.homedir(), ...Object.fromEntries(kept) };
}
