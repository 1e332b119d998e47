import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { masked } from './masked.ts';
import { failed, type Limits, type Reading, readingOf } from './reading.ts';

/** A number, and not a file. */
const MAX_OUTPUT_BYTES = 4_096;

/**
 * Runs a program, which prints the number. It leads a process group, which is killed when its time is over or it has ended;
 * we hold the reading ends of its stdout and stderr and wait for the end of both, but not beyond the time.
 */
export async function readCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
  { timeoutMs, signal }: Limits,
): Promise<Reading> {
  const [file = '', ...args] = argv;
  const { promise, resolve } = Promise.withResolvers<Reading>();
  let child: ChildProcess;
  try {
    child = spawn(file, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  } catch (error) {
    // A name that is empty, a NUL in an argument.
    return failed(masked(error instanceof Error ? error.message : 'it can not be started', secrets));
  }
  const end = (reading: Reading) => {
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
    // What has left its group may hold them for ever.
    child.stdout?.destroy();
    child.stderr?.destroy();
    resolve(reading);
  };
  const out = gathered(child.stdout, () =>
    end(failed(`${file} printed more than ${MAX_OUTPUT_BYTES} bytes`)),
  );
  const err = gathered(child.stderr, () => {});
  // ENOENT, EACCES, EAGAIN, EMFILE.
  child.once('error', (error) => end(failed(masked(error.message, secrets))));
  // It was reaped a moment ago: its number is not yet somebody else's.
  child.once('exit', () => killGroup(child));
  child.once('close', (code, killedBy) => {
    if (code === 0) return end(readingOf(out(), `${file} printed`));
    const how = killedBy === null ? `ended with ${code}` : `was killed by ${killedBy}`;
    const [said = ''] = err().trim().split('\n').slice(-1);
    end(failed(masked(said === '' ? `${file} ${how}` : `${file} ${how}: ${said}`, secrets)));
  });
  const timer = setTimeout(
    () => end(failed(`${file} had not ended after ${timeoutMs / 1_000} s`)),
    timeoutMs,
  );
  const stop = () => end(failed('it was broken off'));
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Nobody is left.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What has come so far; beyond the bound nothing is kept. */
function gathered(stream: Readable | null, exceeded: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) exceeded();
  });
  return () => Buffer.concat(chunks).toString();
}
