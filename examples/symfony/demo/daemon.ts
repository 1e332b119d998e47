import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * rocksyd as the demo's child. Its pid is the keeper's; the worker that serves us is the keeper's child.
 * A session of its own, so that Ctrl-C reaches the demo alone, which then stops it in good order.
 */
export class Daemon {
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  get pid(): number {
    return this.#keeper.pid ?? 0;
  }

  /** Resolves when rocksyd says that it listens. */
  static async start(executable: string, config: string): Promise<Daemon> {
    const keeper = spawn(executable, ['--config', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output: string[] = [];
    createInterface({ input: keeper.stderr }).on('line', (line) => output.push(line));
    await new Promise<void>((ready, failed) => {
      keeper.once('error', failed);
      keeper.once('close', () => failed(new Error(`rocksyd did not start:\n${output.join('\n')}`)));
      createInterface({ input: keeper.stdout }).on('line', (line) => {
        if (line.startsWith('listening on ')) ready();
        else output.push(line);
      });
    });
    return new Daemon(keeper);
  }

  /** kill -9 of both processes, as the kernel's OOM killer or a broken host would. Keeper first: it would start another worker. */
  async crash(worker: number): Promise<void> {
    const gone = once(this.#keeper, 'exit');
    this.#keeper.kill('SIGKILL');
    if (worker !== this.pid) killIfAlive(worker);
    await gone;
  }

  /** SIGTERM; resolves with the exit code, null when a signal ended it. Stopping twice does no harm. */
  async stop(): Promise<number | null> {
    const { exitCode, signalCode } = this.#keeper;
    if (exitCode !== null || signalCode !== null) return exitCode;
    const gone = once(this.#keeper, 'exit');
    this.#keeper.kill('SIGTERM');
    const [code] = await gone;
    return code;
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
