// A real `rocksy server` in a folder of its own, and hosts that join it, for tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import type { Run } from '../../src/api/index.ts';
import { type CloudClient, connectCloud } from '../../src/client/index.ts';
import { TestDaemon, until } from './daemon.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../bin/rocksy.cjs');

export interface CloudOptions {
  /** More YAML at the top level of rocksy.yaml. */
  readonly more?: string;
  /** What is started; default: this checkout's. */
  readonly program?: string;
  /** More variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface HostOptions {
  readonly name?: string;
  /** YAML below `pools:`, as of a TestDaemon; default: one of commands, `os`. */
  readonly pools?: string;
  /** YAML within `join: { … }`. */
  readonly join?: string;
  readonly more?: string;
  /** What is started; default: this checkout's. */
  readonly program?: string;
}

export class TestCloud implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly socket: string;
  /** Everything that it has printed, line by line. */
  readonly output: string[] = [];
  readonly hosts: TestDaemon[] = [];
  readonly client: CloudClient;
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;
  #keeper: ChildProcess | null = null;

  static async start(options: CloudOptions = {}): Promise<TestCloud> {
    const cloud = new TestCloud(await freePort(), options);
    await cloud.start();
    return cloud;
  }

  private constructor(port: number, { more = '', env = {}, program = PROGRAM }: CloudOptions) {
    this.#env = env;
    this.#program = program;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-cloud-'));
    this.port = port;
    this.socket = path.join(this.folder, 'rocksy.sock');
    this.client = connectCloud(`unix:${this.socket}`);
    const listen = `listen: [unix:./rocksy.sock, tcp://127.0.0.1:${port}]`;
    fs.writeFileSync(path.join(this.folder, 'rocksy.yaml'), `${listen}\nstate: ./state\n${more}\n`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it (again) and waits until it serves. */
  async start(): Promise<void> {
    const keeper = spawn(this.#program, ['server', '--config', path.join(this.folder, 'rocksy.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: this.folder,
      env: { ...process.env, ...this.#env },
    });
    this.#keeper = keeper;
    readline.createInterface({ input: keeper.stderr }).on('line', (line) => this.output.push(line));
    const lines = readline.createInterface({ input: keeper.stdout });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => line.startsWith('listening on tcp') && resolve());
      keeper.once('exit', (code, signal) =>
        reject(new Error(`rocksy server ended (${code ?? signal}):\n${this.output.join('\n')}`)),
      );
    });
  }

  get keeperPid(): number {
    const pid = this.#keeper?.pid;
    if (pid === undefined) throw new Error('rocksy server does not run');
    return pid;
  }

  /** The process that serves now. */
  get workerPid(): number {
    const children = fs.readFileSync(`/proc/${this.keeperPid}/task/${this.keeperPid}/children`, 'utf8');
    return Number(children.trim().split(' ').at(-1));
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.keeperPid, signal);
  }

  /** Resolves when the keeper has ended; its worker ends with it. */
  async exited(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper !== null && keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit');
  }

  /** A rocksyd that has joined and is connected. */
  async host(options: HostOptions = {}): Promise<TestDaemon> {
    const host = await this.prepareHost(options);
    await host.start();
    await host.settled();
    await this.connected(this.hosts.length);
    return host;
  }

  /** A rocksyd with an invitation, not started yet. */
  async prepareHost({
    name = `host-${this.hosts.length + 1}`,
    pools = '  os: { runtime: command, {user} }',
    join = '',
    more = '',
    program,
  }: HostOptions): Promise<TestDaemon> {
    const { token } = await this.client.call('inviteHost', { body: {} });
    const host = TestDaemon.prepare({
      pools,
      more: `join: { url: "${this.url}", token_file: ./join-token, name: ${name}${join === '' ? '' : `, ${join}`} }\n${more}`,
      files: { 'join-token': token },
      ...(program === undefined ? {} : { program }),
    });
    this.hosts.push(host);
    return host;
  }

  async connected(count: number): Promise<void> {
    await until(
      `${count} hosts are connected`,
      async () => (await this.client.call('status', {})).hosts_connected === count,
    );
  }

  async apply(text: string): Promise<void> {
    await this.client.call('applyJobs', { body: { files: [{ name: 'jobs.yaml', text }], prune: true } });
  }

  /** A run, once a condition holds. */
  async run(key: string, what: string, holds: (run: Run) => boolean, patienceMs?: number): Promise<Run> {
    const look = async () => {
      const { run } = await this.client.call('getRun', { params: { key } });
      return holds(run) ? run : null;
    };
    return await until(`run ${key} ${what}`, look, patienceMs);
  }

  async ended(key: string): Promise<Run> {
    return await this.run(key, 'has ended', ({ state }) => state === 'ended');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
    const keeper = this.#keeper;
    if (keeper !== null && keeper.exitCode === null && keeper.signalCode === null) {
      this.kill('SIGTERM');
      await this.exited();
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A port that nobody listens on. It stays the same over restarts. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
