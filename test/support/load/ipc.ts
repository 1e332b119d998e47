// The load runs in processes of its own, so that whatever holds up the test is not taken for the server.
// Their starter tells them what to do, one thing at a time, and they end with it: the IPC channel ends.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

interface Reply {
  readonly value?: unknown;
  readonly error?: string;
}

/** A process of the load, as its starter has it. */
export class Helper implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #name: string;

  /** Starts a program of this folder, which gets the options. */
  constructor(program: string, options: unknown) {
    this.#name = program;
    this.#process = fork(path.join(import.meta.dirname, program), [JSON.stringify(options)], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Has it do something, and resolves with what comes of it. Rejects when it fails or ends. One thing at a time. */
  async ask(command: string): Promise<unknown> {
    const over = new AbortController();
    try {
      const reply = once(this.#process, 'message', { signal: over.signal });
      const exit = once(this.#process, 'exit', { signal: over.signal });
      // The one that is not waited for any more is aborted.
      for (const promise of [reply, exit]) promise.catch(() => undefined);
      if (this.#process.connected) this.#process.send(command);
      const [first] = (await Promise.race([reply, exit])) as [Reply | number | null];
      if (typeof first !== 'object' || first === null) throw new Error(`${this.#name} has ended (${first})`);
      if (first.error !== undefined) throw new Error(`${this.#name}: ${first.error}`);
      return first.value;
    } finally {
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

/** What the starter gave to this process. */
export function helperOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Does what the starter asks for, by name. */
export function obey(commands: Readonly<Record<string, () => unknown>>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (command: string) => {
    void (async (): Promise<Reply> => {
      try {
        return { value: await commands[command]?.() };
      } catch (error) {
        return { error: (error as Error).stack ?? String(error) };
      }
    })().then((reply) => process.send?.(reply));
  });
}
