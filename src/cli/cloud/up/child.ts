import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CliError } from '../../exit.ts';

const SHOWN_LINES = 5;

/**
 * A program that `up` has started, and ends. It has a session of its own, so that Ctrl-C reaches us alone; its log goes to
 * a file. When we die without ending it, it goes on.
 */
export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #log: string;
  readonly ended: Promise<void>;

  private constructor(process: ChildProcess, name: string, log: string) {
    this.#process = process;
    this.#name = name;
    this.#log = log;
    this.ended = new Promise((resolve) => process.once('exit', () => resolve()));
  }

  /** Resolves when it says that it listens. */
  static async start(name: string, args: readonly string[], log: string): Promise<Child> {
    const output = openSync(log, 'a', 0o600);
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', output], detached: true });
    closeSync(output);
    const child = new Child(started, name, log);
    await new Promise<void>((resolve, reject) => {
      started.once('error', reject);
      started.once('exit', () => reject(child.failure()));
      createInterface({ input: started.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (line.startsWith('listening on ')) resolve();
      });
    });
    return child;
  }

  /** It is not there any more. */
  failure(): CliError {
    const lines = readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES);
    // What is meant for people is no JSON; it says why, the lines before it what was going on.
    const words = lines.filter((line) => !line.startsWith('{'));
    return new CliError(`${this.#name} has ended:\n${(words.length > 0 ? words : lines).join('\n')}`, {
      hint: `All it has said stands in ${this.#log}.`,
    });
  }

  /** SIGTERM; resolves when it has ended. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM');
    await this.ended;
  }
}
