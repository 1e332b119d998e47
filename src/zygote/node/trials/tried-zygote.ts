import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonValue } from '../../../wire/index.ts';
import { ZygoteClient } from '../../client.ts';
import type { EndedEvent, Finding, RunEvent } from '../../contract.ts';
import { inspect, notAllowed } from '../../inspection/index.ts';
import { launch } from '../../launcher.ts';
import { INPUT } from '../fork-safety/index.ts';
import type { End } from './report.ts';
import { whatIsStuck } from './stuck.ts';

const BOOT_MS = 60_000;
const CLAIM_MS = 30_000;
/** A zygote answers at once. */
const ANSWER_MS = 10_000;
const SHOWN_BYTES = 2_000;
const SIGKILL = 9;

export interface Subject {
  /** Absolute path; its `jobs` are those of workloads (jobsOf of fork-safety). */
  readonly bootstrap: string;
  /** Absolute path of the Node that is tried; null: the one that runs this. */
  readonly interpreter: string | null;
  readonly env: ReadonlyMap<string, string>;
  /** What the bootstrap leaves on purpose, as a pool's `allow`. */
  readonly allow: readonly string[];
}

/** What we know of a run that has not ended. */
interface Running {
  /** Once it has claimed. */
  pid: number | null;
  readonly ended: (event: EndedEvent | Error) => void;
}

/** A zygote of its own in a temporary folder, launched and inspected as a pool's. Killed, with its runs, when disposed of. */
export class TriedZygote implements AsyncDisposable {
  /** What would have refused the pool. */
  readonly findings: readonly Finding[];
  readonly #folder: string;
  readonly #kill: () => Promise<void>;
  readonly #running: Map<string, Running>;
  readonly #client: ZygoteClient;
  #runs = 0;

  private constructor(
    folder: string,
    kill: () => Promise<void>,
    running: Map<string, Running>,
    client: ZygoteClient,
    findings: readonly Finding[],
  ) {
    this.#folder = folder;
    this.#kill = kill;
    this.#running = running;
    this.#client = client;
    this.findings = findings;
  }

  /** Rejects, with what the zygote has printed, where its bootstrap fails. */
  static async start({ bootstrap, interpreter, env, allow }: Subject, prefork: number): Promise<TriedZygote> {
    const folder = mkdtempSync(join(tmpdir(), 'rocksy-fork-safety-'));
    const bootLog = join(folder, 'boot.log');
    const runs = join(folder, 'runs');
    mkdirSync(runs);
    const socketPath = join(folder, 'socket');
    const child = launch({
      runtime: 'node',
      interpreter,
      fork: true,
      args: [],
      account: null,
      group: null,
      nice: 0,
      rlimits: new Map(),
      env: new Map([...env, ['TMPDIR', folder]]), // what killed runs leave goes with it
      cwd: folder,
      socketPath,
      bootLog,
      config: {
        version: 1,
        pool: 'trial',
        generation: 1,
        bootstrap,
        runs,
        prefork,
        claim_timeout_ms: CLAIM_MS,
        leave_children: false,
        fork: 'unproven', // to prove it is what this is for
      },
    });
    const pid = child.pid ?? 0;
    const exit = once(child, 'exit');
    const remove = (): void => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };
    process.once('exit', remove); // where nobody disposes of it: it would wait for its daemon for ever
    const kill = async (): Promise<void> => {
      process.off('exit', remove);
      child.ref(); // a daemon does not wait for its zygotes, so the launcher has let go of it
      child.kill('SIGKILL');
      await exit;
      remove();
    };
    const running = new Map<string, Running>();
    try {
      const { client, hello } = await ZygoteClient.connect(socketPath, 1, listenerOf(running), BOOT_MS);
      const findings = notAllowed(inspect(pid, hello, 'node'), allow);
      if (findings.length === 0) await prove(client);
      return new TriedZygote(folder, kill, running, client, findings);
    } catch (error) {
      const printed = tailOf(bootLog);
      await kill();
      throw new Error(`the zygote did not start: ${(error as Error).message}\n${printed}`);
    }
  }

  /** Resolves when so many children are parked; rejects when they are not after so long. */
  async parked(count: number, limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    for (;;) {
      const { parked } = await within(limitMs, this.#client.stats(), 'the zygote does not answer');
      if (parked >= count) return;
      if (performance.now() > until) throw new Error(`${parked} children are parked after ${limitMs} ms`);
      await delay(1);
    }
  }

  /** Runs it to its end, or for so long. */
  async run(job: string, params: JsonValue, limitMs: number): Promise<End> {
    const key = this.#start(job, params);
    const ended = this.#endOf(key);
    ended.catch(() => {}); // it may come too late for us
    try {
      const event = await Promise.race([ended, delay(limitMs, null, { ref: false })]);
      if (event === null) return await this.#end(key, ended, limitMs);
      const [result, error] = [this.#fact(key, 'result'), this.#fact(key, 'error')];
      return { kind: 'ended', event, result, error, log: this.#log(key) };
    } catch (error) {
      return {
        kind: 'not run',
        why: `${(error as Error).message}\n${tailOf(join(this.#folder, 'boot.log'))}`,
      };
    } finally {
      for (const suffix of ['run', 'log']) rmSync(this.#path(`${key}.${suffix}`), { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = [...this.#running.keys()].map((key) => this.#client.signal(key, SIGKILL));
    // One that does not answer has no runs that it could kill.
    await within(ANSWER_MS, Promise.all(left), 'the zygote does not answer').catch(() => {});
    this.#client.close();
    await this.#kill();
  }

  async #end(key: string, ended: Promise<EndedEvent>, limitMs: number): Promise<End> {
    const pid = this.#running.get(key)?.pid ?? null;
    const stuck = pid === null ? 'it has not begun' : whatIsStuck(pid);
    await within(ANSWER_MS, this.#client.signal(key, SIGKILL), `${stuck}; the zygote does not answer`);
    await within(ANSWER_MS, ended, `${stuck}; its end is not told`);
    return { kind: 'hung', limitMs, stuck, log: this.#log(key) };
  }

  #start(job: string, params: JsonValue): string {
    const key = `r${this.#runs++}`;
    this.#client.start(key, key, { class: job, params, stdin: INPUT });
    return key;
  }

  async #endOf(key: string): Promise<EndedEvent> {
    const { promise, resolve } = Promise.withResolvers<EndedEvent | Error>();
    this.#running.set(key, { pid: null, ended: resolve });
    const end = await promise;
    if (end instanceof Error) throw end;
    this.#client.acknowledge(key);
    return end;
  }

  #path(name: string): string {
    return join(this.#folder, 'runs', name);
  }

  #log(key: string): string {
    return tailOf(this.#path(`${key}.log`));
  }

  /** The last fact of this kind in the run file, or nothing. */
  #fact(key: string, kind: 'result' | 'error'): string {
    const lines = readFileSync(this.#path(`${key}.run`), 'utf8').split('\n');
    return lines.findLast((line) => line.startsWith(`${kind} `))?.slice(kind.length + 1) ?? '';
  }
}

async function within<T>(limitMs: number, promise: Promise<T>, otherwise: string): Promise<T> {
  const late = delay(limitMs, null, { ref: false }).then(() => Promise.reject(new Error(otherwise)));
  return await Promise.race([promise, late]);
}

async function prove(client: ZygoteClient): Promise<void> {
  const { ok, message } = await client.probe();
  if (!ok) throw new Error(`its probe child failed: ${message}`);
}

function listenerOf(running: Map<string, Running>): Parameters<typeof ZygoteClient.connect>[2] {
  const settle = (key: string, end: EndedEvent | Error): void => {
    running.get(key)?.ended(end);
    running.delete(key);
  };
  return {
    onRun: (event: RunEvent) => {
      if (event.event === 'ended') return settle(event.key, event);
      if (event.event === 'refused') return settle(event.key, new Error(`refused: ${event.message}`));
      const run = running.get(event.key);
      if (run !== undefined) run.pid = event.pid;
    },
    onClose: (reason) => {
      for (const key of running.keys()) settle(key, new Error(reason));
    },
  };
}

function tailOf(file: string): string {
  try {
    return readFileSync(file).subarray(-SHOWN_BYTES).toString().trimEnd();
  } catch {
    return ''; // nothing was printed
  }
}
