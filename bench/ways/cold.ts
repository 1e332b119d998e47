import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Usage, usageOfOwnChildren } from '../support/usage.ts';
import type { Job, Way } from './way.ts';

export interface Program {
  /** What runs a class with one parameter. */
  argv(job: Job, param: object): readonly [command: string, ...args: string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** A fresh interpreter that loads the framework, as cron would start it. */
export class Cold implements Way {
  readonly name: string;
  readonly folder: string;
  readonly #program: Program;

  constructor(name: string, folder: string, program: Program) {
    this.name = name;
    this.folder = folder;
    this.#program = program;
  }

  async run(job: Job, param: object): Promise<void> {
    const [command, ...args] = this.#program.argv(job, param);
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...this.#program.env },
    });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`${this.name}: ${command} ended with ${code}`);
  }

  usage(): Usage {
    return usageOfOwnChildren();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
