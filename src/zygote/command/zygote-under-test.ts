// For the tests beside it: a real zygote in a folder of its own, and the daemon's end of a session with it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  watch,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { children, listenUnix } from '../../posix/index.ts';
import type { EndedEvent, HelloEvent, ZygoteConfig, ZygoteEvent } from '../contract.ts';

/** The program as it stands beside this file: TypeScript, or built. */
export const PROGRAM = fileURLToPath(new URL(`./zygote${extname(import.meta.url)}`, import.meta.url));
/** As the launcher has it; `--jitless` too where there is no TypeScript to strip. */
const FLAGS = ['--v8-pool-size=0', '--max-semi-space-size=1'];

/** A test that waits longer than this for one thing has failed. */
const PATIENCE_MS = 20_000;

export interface ZygoteOptions {
  readonly config?: Partial<ZygoteConfig>;
  readonly env?: { readonly [name: string]: string };
}

/** `await using`: it is killed at the end, with all of its runs, and its folder goes. */
export class ZygoteUnderTest {
  readonly process: ChildProcess;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  readonly folder: string;
  #lastSession = 0;

  constructor({ config = {}, env = {} }: ZygoteOptions = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'rocksy-command-'));
    mkdirSync(this.runs);
    const listening = listenUnix({ path: this.socket, mode: 0o600, backlog: 16 });
    const log = openSync(this.bootLog, 'a');
    const full: ZygoteConfig = {
      version: 1,
      pool: 'shell',
      generation: 4,
      runs: this.runs,
      prefork: 0,
      claim_timeout_ms: 30_000,
      leave_children: false,
      ...config,
    };
    this.process = spawn(process.execPath, [...FLAGS, PROGRAM], {
      cwd: this.folder,
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ROCKSY_ZYGOTE: JSON.stringify(full), ...env },
      detached: true,
      stdio: ['ignore', log, log, listening],
    });
    this.exit = once(this.process, 'exit').then(([code, signal]) => ({ code, signal }));
    closeSync(log);
    closeSync(listening);
  }

  get runs(): string {
    return join(this.folder, 'runs');
  }

  get socket(): string {
    return join(this.folder, 'socket');
  }

  get bootLog(): string {
    return join(this.folder, 'boot.log');
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  log(file: string): string {
    return readFileSync(join(this.runs, `${file}.log`), 'utf8');
  }

  runFile(file: string): string {
    return readFileSync(join(this.runs, `${file}.run`), 'utf8');
  }

  has(name: string): boolean {
    return existsSync(join(this.runs, name));
  }

  /** Waits until a run has made this file in the folder where runs start. */
  async appears(name: string): Promise<void> {
    const watcher = watch(this.folder);
    try {
      while (!existsSync(join(this.folder, name)))
        await once(watcher, 'change', { signal: AbortSignal.timeout(PATIENCE_MS) });
    } finally {
      watcher.close();
    }
  }

  async session(): Promise<Session> {
    const session = await Session.open(this.socket);
    await session.hello(++this.#lastSession);
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its children first: afterwards nobody knows them.
    for (const pid of [...children(this.pid), this.pid]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await this.exit;
    rmSync(this.folder, { recursive: true });
  }
}

/** The daemon's end. Events are kept until a test asks for them. */
export class Session {
  readonly socket: net.Socket;
  readonly events: ZygoteEvent[] = [];
  readonly closed: Promise<unknown>;
  #rest = '';
  #lastId = 0;
  #waiting: (() => void)[] = [];

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.events.push(...lines.map((line) => JSON.parse(line) as ZygoteEvent));
      for (const look of this.#waiting.splice(0)) look();
    });
  }

  static async open(path: string): Promise<Session> {
    const socket = net.connect({ path });
    await once(socket, 'connect');
    return new Session(socket);
  }

  async hello(session: number): Promise<HelloEvent> {
    return (await this.ask({ op: 'hello', version: 1, session })) as HelloEvent;
  }

  send(...requests: object[]): void {
    this.socket.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  }

  /** The answer with the request's id. */
  ask(request: object): Promise<ZygoteEvent> {
    const id = ++this.#lastId;
    this.send({ ...request, id });
    return this.next((event) => 'id' in event && event.id === id);
  }

  /** The first event, of those that have come or will, that fits. */
  async next(fits: (event: ZygoteEvent) => boolean): Promise<ZygoteEvent> {
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`waited in vain: ${JSON.stringify(this.events.slice(-20))}`)),
          PATIENCE_MS,
        );
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  about(key: string, name: 'forked' | 'claimed' | 'refused'): Promise<ZygoteEvent> {
    return this.next((event) => event.event === name && event.key === key);
  }

  async ended(key: string): Promise<EndedEvent> {
    return (await this.next((event) => event.event === 'ended' && event.key === key)) as EndedEvent;
  }

  start(key: string, argv: readonly string[], more: object = {}): void {
    this.send({ op: 'start', key, file: key, argv, ...more });
  }

  /** Drops what has come about a run. */
  forget(key: string): void {
    const others = this.events.filter((event) => !('key' in event) || event.key !== key);
    this.events.splice(0, this.events.length, ...others);
  }

  /** Starts a run of the shell and waits for its end. */
  shell(key: string, script: string, more: object = {}): Promise<EndedEvent> {
    this.start(key, ['sh', '-c', script], more);
    return this.ended(key);
  }
}
