// A real rocksyd in a folder of its own, for tests. Started as a user starts it; whatever it leaves is removed.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { type Client, connect } from '../../src/client/index.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../bin/rocksyd.cjs');
const USER = process.getuid?.() === 0 ? 'www-data' : os.userInfo().username;

export interface DaemonOptions {
  /** YAML below `pools:`, two spaces in; `user` is added to each pool by `{user}`. */
  readonly pools: string;
  /** Addresses besides the Unix socket. */
  readonly listen?: readonly string[];
  /** More YAML at the top level. */
  readonly more?: string;
  /** Name of a file in the folder → its text. */
  readonly files?: Readonly<Record<string, string>>;
  /** Name of a symlink in the folder → where it leads. */
  readonly links?: Readonly<Record<string, string>>;
  /** `{folder}` in a value stands for the daemon's folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its state directory; default: `var` in its folder. */
  readonly state?: string;
  /** What is started; default: this checkout's. */
  readonly program?: string;
  /** After `--config FILE`. */
  readonly args?: readonly string[];
}

/** What `{user}` in a pool's YAML stands for. */
const USER_KEY = `user: ${USER}`;

export class TestDaemon {
  readonly folder: string;
  readonly state: string;
  readonly socket: string;
  /** A folder that every pool's user can write to. */
  readonly scratch: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #program: string;
  readonly #args: readonly string[];
  /** Everything that it has printed, line by line. */
  readonly output: string[] = [];
  #keeper: ChildProcess | null = null;
  readonly #clients: Client[] = [];

  private constructor(folder: string, options: DaemonOptions) {
    this.folder = folder;
    this.state = options.state ?? path.join(folder, 'var');
    this.socket = path.join(this.state, 'rocksyd.sock');
    this.scratch = path.join(folder, 'scratch');
    this.#program = options.program ?? PROGRAM;
    this.#args = options.args ?? [];
    const env = Object.entries(options.env ?? {});
    this.#env = Object.fromEntries(env.map(([name, value]) => [name, value.replaceAll('{folder}', folder)]));
  }

  /** Writes configuration and files, starts the daemon and waits until it listens and its pools have started. */
  static async start(options: DaemonOptions): Promise<TestDaemon> {
    const daemon = TestDaemon.prepare(options);
    await daemon.start();
    await daemon.settled();
    return daemon;
  }

  /** Writes configuration and files, and starts nothing. */
  static prepare(options: DaemonOptions): TestDaemon {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-'));
    fs.chmodSync(folder, 0o755);
    const daemon = new TestDaemon(folder, options);
    fs.mkdirSync(daemon.scratch);
    fs.chmodSync(daemon.scratch, 0o777);
    daemon.configure(options);
    return daemon;
  }

  /** Writes configuration and files (anew): in force from the next start on. */
  configure(options: DaemonOptions): void {
    for (const [name, text] of Object.entries(options.files ?? {})) this.write(name, text);
    for (const [name, target] of Object.entries(options.links ?? {}))
      fs.symlinkSync(target, path.join(this.folder, name));
    const listen = JSON.stringify([`unix:${this.socket}`, ...(options.listen ?? [])]);
    const yaml = `listen: ${listen}\nstate: ${this.state}\n${options.more ?? ''}\npools:\n${options.pools}\n`;
    this.write('rocksyd.yaml', yaml.replaceAll('{user}', USER_KEY));
  }

  write(name: string, text: string): void {
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  /** Starts it (again) and waits until it listens. Rejects when it ends before that. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const args = ['--config', path.join(this.folder, 'rocksyd.yaml'), ...this.#args];
    const keeper = spawn(this.#program, args, {
      env: { ...process.env, ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: this.folder,
    });
    this.#keeper = keeper;
    readline.createInterface({ input: keeper.stderr }).on('line', (line) => this.output.push(line));
    const lines = readline.createInterface({ input: keeper.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        this.output.push(line);
        if (line.startsWith('listening on ')) resolve();
      });
      keeper.once('exit', (code, signal) => {
        reject(new Error(`rocksyd ended (${code ?? signal}) before it listened:\n${this.output.join('\n')}`));
      });
    });
  }

  /** Resolves when no pool is starting any more. */
  async settled(): Promise<void> {
    await using client = await connect(`unix:${this.socket}`);
    await until('the pools have started', async () =>
      (await client.pools()).every(({ state }) => state !== 'starting'),
    );
  }

  get keeperPid(): number {
    const pid = this.#keeper?.pid;
    if (pid === undefined) throw new Error('rocksyd does not run');
    return pid;
  }

  async workerPid(): Promise<number> {
    await using client = await this.connect();
    return Number((await client.stats()).worker_pid);
  }

  /** The pid of the zygote that serves a pool, as soon as one does. */
  async zygotePid(pool: string): Promise<number> {
    await using client = await this.connect();
    return await until(`a generation of ${pool} serves`, async () => {
      const view = (await client.pools()).find(({ name }) => name === pool);
      return view?.generations.findLast(({ state }) => state === 'serving')?.pid;
    });
  }

  /** The port of the first TCP listener, which may have been left to the system (`tcp://127.0.0.1:0`). */
  get tcpPort(): number {
    for (const line of this.output) {
      const port = /"listener":"tcp:[^"]*","address":"[^"]*:(\d+)"/.exec(line)?.[1];
      if (port !== undefined) return Number(port);
    }
    throw new Error('rocksyd has no TCP listener');
  }

  async connect(): Promise<Client> {
    const client = await connect(`unix:${this.socket}`);
    this.#clients.push(client);
    return client;
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.keeperPid, signal);
  }

  /** Resolves with the exit code of the keeper, or the signal that it died of. */
  async exited(): Promise<number | NodeJS.Signals | null> {
    const keeper = this.#keeper;
    if (keeper === null) return null;
    if (keeper.exitCode !== null || keeper.signalCode !== null) return keeper.exitCode ?? keeper.signalCode;
    return await new Promise((resolve) => keeper.once('exit', (code, signal) => resolve(code ?? signal)));
  }

  /** SIGKILL for the keeper, and so for the worker; runs and zygotes live on. */
  async killAll(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited();
  }

  async stop(): Promise<number | NodeJS.Signals | null> {
    this.kill('SIGTERM');
    return await this.exited();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    const keeper = this.#keeper;
    if (keeper !== null && keeper.exitCode === null && keeper.signalCode === null) await this.stop();
    killEverythingOf(this.folder);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Zygotes and runs that a test left behind: known by the folder in their environment, or that they stand in. */
function killEverythingOf(folder: string): void {
  for (const pid of new Set([...processesOf(folder), ...processesIn(folder)])) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Processes whose environment or command line mentions a text. */
export function processesOf(text: string): number[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    return mentions(pid, text) ? [pid] : [];
  });
}

/** A PHP zygote's title stands where its environment was. */
function processesIn(folder: string): number[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      return fs.readlinkSync(`/proc/${pid}/cwd`) === folder ? [pid] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

function mentions(pid: number, text: string): boolean {
  return ['environ', 'cmdline'].some((file) => {
    try {
      return fs.readFileSync(`/proc/${pid}/${file}`).includes(text);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

/** How often `until` looks. */
const LOOK_MS = 5;
const PATIENCE_MS = 30_000;

/** Waits until a condition holds that no event tells of; looks every few milliseconds, gives up after 30 s. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const value = await look();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Whether the process is there and has not ended; one that nobody has reaped yet has. */
export function isAlive(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
