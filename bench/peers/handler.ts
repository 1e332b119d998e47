import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { Countdown } from './countdown.ts';
import type { Scenario } from './peer.ts';

/** Does nothing, and ends with 0. */
export const PROGRAM = '/bin/true';

/** Processes that a worker has running at the same time: enough that no core waits for the queue. */
export const PROCESSES_AT_ONCE = 2 * os.availableParallelism();

/** What the handlers of all libraries do, in the process that also adds the jobs. */
export class Handler {
  readonly #spawns: boolean;
  #begun: PromiseWithResolvers<number> | null = null;
  readonly #countdown = new Countdown();

  constructor(scenario: Scenario) {
    this.#spawns = scenario === 'processes';
  }

  /** The job. Returns the exit code of its process; 0 without one. */
  async handle(): Promise<number> {
    this.#begun?.resolve(performance.now());
    const code = this.#spawns ? await exitCodeOf(PROGRAM) : 0;
    this.#countdown.one();
    return code;
  }

  /** Milliseconds from the call of `add` to the first line of the job that it adds. */
  async firstLine(add: () => Promise<unknown>): Promise<number> {
    this.#begun = Promise.withResolvers<number>();
    const asked = performance.now();
    await add();
    // It may have begun before add() returned.
    return (await this.#begun.promise) - asked;
  }

  /** Resolves when so many more jobs have been handled. To be called before they are added. */
  async handled(count: number): Promise<void> {
    await this.#countdown.of(count);
  }
}

/** A process of its own, as a user of these libraries would start it: who ends it, on a stop or a crash, is left open. */
export async function exitCodeOf(program: string): Promise<number> {
  const child = spawn(program, { stdio: 'ignore' });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code === null) throw new Error(`${program} was ended by ${signal}`);
  return code;
}
