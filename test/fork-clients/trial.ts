// One client library after the other, in warm pools of a real rocksyd: the wrong way is refused, the right ways work.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Client, RocksyError } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { startServers } from './servers.ts';
import type { Trial } from './trials.ts';

/** So many at once, of which two are parked and the rest forked on request. */
const AT_ONCE = 8;
const PARKED = 2;
const PATIENCE_MS = 60_000;

const OPTIONS: Readonly<Record<Trial['runtime'], string>> = {
  node: 'runtime: node',
  php: 'runtime: php',
  python: 'runtime: python, interpreter: /usr/bin/python3',
};

/** A bootstrap that is the trial’s; `null`: an empty one. */
const BOOTSTRAPS: Readonly<Record<Trial['runtime'], (file: string | null) => string>> = {
  node: (file) => (file === null ? '' : `export * from ${JSON.stringify(file)};\n`),
  php: (file) => (file === null ? '<?php\n' : `<?php return require ${JSON.stringify(file)};\n`),
  python: (file) =>
    file === null
      ? ''
      : `import sys\nsys.path.insert(0, ${JSON.stringify(path.dirname(file))})\nfrom ${path.parse(file).name} import *  # noqa: F403\n`,
};

const EXTENSIONS: Readonly<Record<Trial['runtime'], string>> = { node: 'mjs', php: 'php', python: 'py' };
const WAYS = ['wrong', 'lazy', 'hooks'] as const;
type Way = (typeof WAYS)[number];

export interface Outcome {
  /** What the wrong way has come to: why it was refused, or the error of its runs. */
  readonly wrong: string;
  /** What was not as it should be; empty: all was well. */
  readonly problems: readonly string[];
}

/** A run that has not brought its number back. */
interface Failure {
  readonly error: string;
  readonly story: string;
}

export class Trials implements AsyncDisposable {
  readonly #daemon: TestDaemon;
  readonly #client: Client;
  readonly #stack: AsyncDisposableStack;
  readonly #runs: number;
  #count = 0;

  private constructor(daemon: TestDaemon, client: Client, stack: AsyncDisposableStack, runs: number) {
    this.#daemon = daemon;
    this.#client = client;
    this.#stack = stack;
    this.#runs = runs;
  }

  /** Starts a daemon, and the servers that these trials need. `runs`: so many of each right way. */
  static async start(trials: readonly Trial[], runs: number): Promise<Trials> {
    await using stack = new AsyncDisposableStack();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-clients-'));
    fs.chmodSync(folder, 0o777);
    stack.defer(() => fs.rmSync(folder, { recursive: true, force: true }));
    const servers = await startServers(new Set(trials.flatMap((trial) => trial.servers)), folder, stack);
    const runtimes = [...new Set(trials.map(({ runtime }) => runtime))];
    const pools = runtimes.flatMap((runtime) =>
      WAYS.map((way) => {
        const env = JSON.stringify({ ...servers, SCRATCH: folder, TRY: way });
        return `  ${runtime}-${way}: { ${OPTIONS[runtime]}, bootstrap: ./${way}.${EXTENSIONS[runtime]}, prefork: ${PARKED}, env: ${env}, {user} }`;
      }),
    );
    const daemon = stack.use(
      await TestDaemon.start({
        pools: pools.join('\n'),
        more: `log: { level: warn }\ndefault_pool: ${runtimes[0]}-lazy`,
        files: Object.fromEntries(
          runtimes.flatMap((runtime) =>
            WAYS.map((way) => [`${way}.${EXTENSIONS[runtime]}`, BOOTSTRAPS[runtime](null)]),
          ),
        ),
      }),
    );
    return new Trials(daemon, await daemon.connect(), stack.move(), runs);
  }

  async run(trial: Trial): Promise<Outcome> {
    const { problems, wrong } = await this.#goWrong(trial);
    for (const way of trial.right) {
      const refusal = await this.#load(trial, way);
      const failures = refusal === null ? await this.#runMany(trial, way) : [{ story: refusal }];
      problems.push(...failures.map(({ story }) => `${way}: ${story}`));
    }
    return { wrong, problems };
  }

  async #goWrong(trial: Trial): Promise<{ wrong: string; problems: string[] }> {
    const refusal = await this.#load(trial, 'wrong');
    const failures = refusal === null ? await this.#runMany(trial, 'wrong') : [];
    const [wrong, expected] =
      'refused' in trial.wrong
        ? [refusal ?? 'is not refused', trial.wrong.refused]
        : [refusal ?? failures[0]?.error ?? 'works', trial.wrong.goesWrong];
    return { wrong, problems: expected.test(wrong) ? [] : [`wrong: ${wrong}, and not ${expected}`] };
  }

  /** Why the pool was refused; null: it serves. */
  async #load({ runtime, file }: Trial, way: Way): Promise<string | null> {
    const source = path.join(import.meta.dirname, runtime, file);
    this.#daemon.write(`${way}.${EXTENSIONS[runtime]}`, BOOTSTRAPS[runtime](source));
    return await this.#client.reload(`${runtime}-${way}`).then(
      () => null,
      ({ message, output }: RocksyError) => (output ? `${message}\n${output}` : message),
    );
  }

  /** Each has a number of its own, and has to bring it back from where its client has sent it. */
  async #runMany({ runtime }: Trial, way: Way): Promise<Failure[]> {
    const failures: Failure[] = [];
    const pool = `${runtime}-${way}`;
    // `Try` is a word of PHP's own.
    const name = runtime === 'php' ? 'TryIt' : 'Try';
    let left = this.#runs;
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const n = ++this.#count;
        const key = `${pool}-${n}`;
        await this.#client.run({ key, pool, class: name, params: { n }, timeout_ms: PATIENCE_MS });
        const run = await this.#client.wait(key, { timeout_ms: 2 * PATIENCE_MS });
        if (run.outcome === 'succeeded' && (run.result as { n?: unknown }).n === n) continue;
        const log = (await this.#client.logs(key)).data.toString().slice(-500);
        failures.push({ error: run.error ?? '', story: `${JSON.stringify(run)}\n${log}` });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return failures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
