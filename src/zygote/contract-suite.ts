// docs/zygote.md as tests, the same for every runtime. A runtime's own test file calls `contractSuite` with a way to
// start its zygote and a few programs written for it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndedEvent, HelloEvent, StartSpec, ZygoteConfig, ZygoteEvent } from './contract.ts';

/** A started zygote. `await using`: at the end it is killed with all of its runs, and its folder goes. */
export interface TestedZygote extends AsyncDisposable {
  readonly pid: number;
  /** A folder of its own. */
  readonly folder: string;
  readonly runs: string;
  /** Path of the socket that it listens on. */
  readonly socket: string;
  /** Path of the file that is its descriptors 1 and 2. */
  readonly bootLog: string;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
}

export interface StartOptions {
  readonly config?: Partial<ZygoteConfig>;
  readonly env?: { readonly [name: string]: string };
}

/** Programs of a runtime, as the fields of `start` that run them. */
export interface Programs {
  /** Prints "hello" and a line break. */
  readonly hello: StartSpec;
  /** Prints its standard input. */
  readonly input: StartSpec;
  /** Prints its folder. */
  readonly folder: StartSpec;
  /** Prints where each of its descriptors leads, one a line. */
  readonly descriptors: StartSpec;
  /** Prints "ready" and a line break, then waits for ever. SIGTERM ends it. */
  readonly wait: StartSpec;
  /** As `wait`, but SIGTERM is ignored. */
  readonly stubborn: StartSpec;
  /** Writes `progress 40 half way` and `result {"n":1}` into its run file. */
  readonly tell: StartSpec;
  /**
   * Leaves two processes behind that ignore SIGTERM: a child, and a grandchild with a session of its own whose parent
   * has gone (double fork and setsid). They wait for ever; the program prints their pids, one a line, and ends.
   */
  readonly leave: StartSpec;
  exit(code: number): StartSpec;
  /** Prints the value of an environment variable, or nothing. */
  variable(name: string): StartSpec;
  /** Prints "ready" and a line break, waits until there is a file of this name, prints "done". */
  gate(path: string): StartSpec;
}

export interface Features {
  /** Whether the runtime parks children ahead of their runs. */
  readonly parks: boolean;
}

/** Waits for something that has no event: a line in a file, a process that is gone. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(2);
  }
}

type Name = ZygoteEvent['event'];
type Named<N extends Name> = Extract<ZygoteEvent, { event: N }>;

/** The daemon's end of a session. Every event is kept, in order, until a test takes it. */
export class Conversation {
  readonly events: ZygoteEvent[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: net.Socket;
  #rest = '';
  #lastId = 0;
  #wake: (() => void)[] = [];

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    this.closed.then(() => this.#look());
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.events.push(...lines.map((line) => JSON.parse(line) as ZygoteEvent));
      this.#look();
    });
  }

  static async open(zygote: TestedZygote): Promise<Conversation> {
    const socket = net.connect({ path: zygote.socket });
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  /** Connects and says hello. */
  static async begin(zygote: TestedZygote, session = 1): Promise<Conversation> {
    const conversation = await Conversation.open(zygote);
    await conversation.hello(session);
    return conversation;
  }

  async hello(session: number): Promise<HelloEvent> {
    return (await this.ask({ op: 'hello', version: 1, session })) as HelloEvent;
  }

  /** Begins, and has the zygote probed: from then on it parks children. */
  static async serve(zygote: TestedZygote): Promise<Conversation> {
    const conversation = await Conversation.begin(zygote);
    assert.partialDeepStrictEqual(await conversation.ask({ op: 'probe' }), { event: 'probed', ok: true });
    return conversation;
  }

  /** In one write: the zygote may read them at once. */
  send(...requests: object[]): void {
    this.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** The answer that carries the request's id. */
  ask(request: object): Promise<ZygoteEvent> {
    const id = ++this.#lastId;
    this.send({ ...request, id });
    return this.take((event) => 'id' in event && event.id === id);
  }

  start(key: string, what: StartSpec, more: object = {}): void {
    this.send({ op: 'start', key, file: key, ...what, ...more });
  }

  async run(key: string, what: StartSpec, more: object = {}): Promise<EndedEvent> {
    this.start(key, what, more);
    return this.about(key, 'ended');
  }

  /** The first event of this name about the run; those before it, about the same run, are dropped. */
  async about<N extends 'forked' | 'claimed' | 'ended' | 'refused'>(key: string, name: N): Promise<Named<N>> {
    return (await this.take(
      (event) => event.event === name && 'key' in event && event.key === key,
    )) as Named<N>;
  }

  /** What has come about the run, in order. */
  named(key: string): Name[] {
    return this.events.filter((event) => 'key' in event && event.key === key).map((event) => event.event);
  }

  async take(fits: (event: ZygoteEvent) => boolean): Promise<ZygoteEvent> {
    let ended = false;
    this.closed.then(() => {
      ended = true;
    });
    for (;;) {
      const index = this.events.findIndex(fits);
      const found = this.events[index];
      if (found !== undefined) {
        this.events.splice(index, 1);
        return found;
      }
      if (ended) throw new Error(`the zygote has closed the session; unread: ${JSON.stringify(this.events)}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  end(): void {
    this.#socket.destroy();
  }

  #look(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

// ---- looking at files and processes ------------------------------------------------------------------------------

export function logOf(zygote: TestedZygote, file: string): string {
  const path = join(zygote.runs, `${file}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

export function runFileOf(zygote: TestedZygote, file: string): string[] {
  return readFileSync(join(zygote.runs, `${file}.run`), 'utf8')
    .trimEnd()
    .split('\n');
}

function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export function isAlive(pid: number): boolean {
  try {
    return statOf(pid)[0] !== 'Z';
  } catch {
    return false;
  }
}

/** Those of a process that are not zombies, the oldest first. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
    .filter(isAlive);
}

function signalSet(pid: number, name: 'SigBlk' | 'SigIgn'): bigint {
  const line = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return BigInt(`0x${line?.[1] ?? 'not found'}`);
}

/** When a run has printed "ready" it is in user code. */
async function ready(zygote: TestedZygote, file: string): Promise<void> {
  await until(`${file} is ready`, () => logOf(zygote, file).includes('ready\n'));
}

/** @param start makes a new zygote; it need not wait until the bootstrap is loaded. */
export function contractSuite(
  name: string,
  start: (options?: StartOptions) => TestedZygote,
  programs: Programs,
  features: Features,
): void {
  describe(`${name}: how it is started`, () => {
    test('a version of the contract that it does not know ends it, with a message', async () => {
      const config = { version: 2 } as unknown as Partial<ZygoteConfig>;
      await using zygote = start({ config });
      assert.notEqual((await zygote.exit).code, 0);
      assert.match(readFileSync(zygote.bootLog, 'utf8'), /version/);
    });

    test('its configuration is not in the environment of a run', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.variable('ROCKSY_ZYGOTE'));
      assert.equal(logOf(zygote, 'a').trim(), '');
    });

    test('SIGINT, SIGHUP and SIGPIPE are ignored', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.kill(zygote.pid, signal);
      assert.equal((await daemon.run('a', programs.hello)).code, 0);
    });

    test('it is the subreaper of what its runs leave', async () => {
      await using zygote = start({ config: { leave_children: true } });
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.leave);
      const left = logOf(zygote, 'a').trim().split('\n').map(Number);
      assert.equal(left.length, 2);
      for (const pid of left) assert.equal(Number(statOf(pid)[1]), zygote.pid);
    });
  });

  describe(`${name}: sessions`, () => {
    test('hello is answered with what the zygote is', async () => {
      await using zygote = start({ config: { generation: 7 } });
      const daemon = await Conversation.open(zygote);
      const { id, descriptors, parked, ...rest } = await daemon.hello(3);
      assert.equal(typeof id, 'number');
      assert.equal(parked, 0);
      const expected = {
        event: 'hello',
        version: 1,
        session: 3,
        pid: zygote.pid,
        generation: 7,
        draining: false,
      };
      assert.deepEqual(rest, expected);
      const open = readdirSync(`/proc/${zygote.pid}/fd`).map(Number);
      assert.deepEqual(
        open.filter((fd) => !descriptors.includes(fd)),
        [],
      );
      assert.deepEqual(
        descriptors.filter((fd) => !open.includes(fd)),
        [],
      );
    });

    test('anything but hello at first is an error and the end of the connection', async () => {
      await using zygote = start();
      const daemon = await Conversation.open(zygote);
      assert.equal((await daemon.ask({ op: 'stats' })).event, 'error');
      await daemon.closed;
    });

    test('a start before hello starts nothing', async () => {
      await using zygote = start();
      const stranger = await Conversation.open(zygote);
      stranger.start('a', programs.hello);
      await stranger.closed;
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.run('a', programs.hello)).claimed, true);
    });

    for (const session of [5, 4]) {
      test(`session ${session} after session 5 is an error and the end of that connection only`, async () => {
        await using zygote = start();
        const daemon = await Conversation.begin(zygote, 5);
        const late = await Conversation.open(zygote);
        assert.equal((await late.ask({ op: 'hello', version: 1, session })).event, 'error');
        await late.closed;
        assert.equal((await daemon.ask({ op: 'stats' })).event, 'stats');
      });
    }

    test('a new session closes the older one and is told the latest of every run, then hello', async () => {
      await using zygote = start();
      const first = await Conversation.begin(zygote, 1);
      await first.run('over', programs.exit(3));
      first.start('going', programs.wait);
      await first.about('going', 'claimed');
      const second = await Conversation.open(zygote);
      second.send({ op: 'hello', id: 1, version: 1, session: 2 });
      await second.take((event) => event.event === 'hello');
      await first.closed;
      const told = second.events.map((event) => [event.event, 'key' in event ? event.key : null]);
      assert.deepEqual(told, [
        ['ended', 'over'],
        ['claimed', 'going'],
      ]);
    });

    test('what the older session has sent is carried out before the new one is answered', async () => {
      await using zygote = start();
      for (let round = 1; round <= 10; round++) {
        const first = await Conversation.begin(zygote, 2 * round - 1);
        const second = await Conversation.open(zygote);
        const keys = Array.from({ length: 5 }, (_, index) => `${round}-${index}`);
        first.send(...keys.map((key) => ({ op: 'start', key, file: key, ...programs.hello })));
        await new Promise(setImmediate); // libuv has written it
        const hello = second.hello(2 * round);
        const known = hello.then(
          () => new Set(second.events.flatMap((event) => ('key' in event ? [event.key] : []))),
        );
        await first.closed;
        for (const key of keys) {
          // Known means that it goes on; not known that it never began, and can be started now.
          if ((await known).has(key)) {
            if (!second.events.some((event) => event.event === 'ended' && event.key === key))
              await second.about(key, 'ended');
          } else {
            assert.equal(existsSync(join(zygote.runs, `${key}.run`)), false);
            assert.equal((await second.run(key, programs.hello)).claimed, true);
          }
          assert.equal(logOf(zygote, key), 'hello\n');
        }
        second.end();
      }
    });

    test('what happens while no daemon is there is told to the next', async () => {
      await using zygote = start();
      const gate = join(zygote.folder, 'gate');
      const first = await Conversation.begin(zygote, 1);
      first.start('a', programs.gate(gate));
      const { pid } = await first.about('a', 'claimed');
      first.end();
      writeFileSync(gate, '');
      await until('the run is over', () => !isAlive(pid));
      const second = await Conversation.begin(zygote, 2);
      const ended = second.events.some((event) => event.event === 'ended')
        ? second.events[0]
        : await second.about('a', 'ended');
      assert.partialDeepStrictEqual(ended, { event: 'ended', key: 'a', pid, code: 0, claimed: true });
    });

    test('an unknown op and a line that is no JSON are errors, and the session goes on', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      assert.equal((await daemon.ask({ op: 'dance' })).event, 'error');
      daemon.write('what?\n');
      await daemon.take((event) => event.event === 'error');
      assert.equal((await daemon.ask({ op: 'stats', unknown: 'field' })).event, 'stats');
    });

    test('requests may come in pieces and many at once', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const character of `${JSON.stringify({ op: 'start', key: 'piece', file: 'piece', ...programs.hello })}\n`) {
        daemon.write(character);
        await new Promise(setImmediate);
      }
      await daemon.about('piece', 'ended');
      const keys = Array.from({ length: 60 }, (_, index) => `many-${index}`);
      daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...programs.hello })));
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
      for (const key of keys) assert.equal(logOf(zygote, key), 'hello\n');
    });
  });

  describe(`${name}: a run`, () => {
    test('is forked, claimed, ended, in this order; its output is in its log, its facts in its run file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.hello);
      await until('it has ended', () => daemon.named('a').includes('ended'));
      assert.deepEqual(daemon.named('a'), ['forked', 'claimed', 'ended']);
      const [forked, claimed, ended] = daemon.events;
      assert.equal(ended?.event, 'ended');
      assert.ok(forked?.event === 'forked' && claimed?.event === 'claimed' && ended?.event === 'ended');
      const { cpu_user_ms, cpu_system_ms, max_rss_bytes, ...rest } = ended;
      const expected = {
        event: 'ended',
        key: 'a',
        pid: claimed.pid,
        code: 0,
        signal: null,
        reason: null,
        claimed: true,
      };
      assert.deepEqual(rest, expected);
      assert.ok(cpu_user_ms >= 0 && cpu_system_ms >= 0 && max_rss_bytes > 100_000, JSON.stringify(ended));
      assert.equal(logOf(zygote, 'a'), 'hello\n');
      const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      const [claim, ...facts] = runFileOf(zygote, 'a');
      assert.match(claim ?? '', new RegExp(`^claim 1 ${claimed.pid} \\d+ ${bootId} \\d{13}$`));
      assert.deepEqual(facts, ['exit 0']);
    });

    test('its claim holds the start time of its process', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      assert.equal(runFileOf(zygote, 'a')[0]?.split(' ')[3], statOf(pid)[19]);
    });

    for (const code of [0, 1, 100, 255]) {
      test(`that ends with code ${code} has ended with that code`, async () => {
        await using zygote = start();
        const daemon = await Conversation.begin(zygote);
        assert.partialDeepStrictEqual(await daemon.run('a', programs.exit(code)), {
          code,
          signal: null,
          claimed: true,
        });
        assert.equal(runFileOf(zygote, 'a').at(-1), `exit ${code}`);
      });
    }

    test('appends progress and a result to its run file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.tell);
      assert.deepEqual(runFileOf(zygote, 'a').slice(1), ['progress 40 half way', 'result {"n":1}', 'exit 0']);
    });

    test('leads a session, blocks no signal and ignores none of ours', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      assert.equal(Number(statOf(pid)[3]), pid);
      assert.equal(signalSet(pid, 'SigBlk'), 0n);
      const ours = [1, 2, 15, 17].map((signal) => 1n << BigInt(signal - 1)).reduce((all, bit) => all | bit);
      assert.equal(signalSet(pid, 'SigIgn') & ours, 0n);
    });

    test('has none of the descriptors of its zygote', async () => {
      await using zygote = start(features.parks ? { config: { prefork: 3 } } : {});
      const daemon = await Conversation.serve(zygote);
      await until('children are parked', () => !features.parks || childrenOf(zygote.pid).length === 3);
      await daemon.run('a', programs.descriptors);
      const shared = logOf(zygote, 'a')
        .split('\n')
        .filter((target) => /^socket:|signalfd|children$/.test(target));
      assert.deepEqual(shared, []);
    });

    test('reads stdin, or the end of the file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const stdin = `${'line of input\n'.repeat(20_000)}é\0end`;
      await daemon.run('a', programs.input, { stdin });
      assert.equal(logOf(zygote, 'a'), stdin);
      await daemon.run('b', programs.input);
      assert.equal(logOf(zygote, 'b'), '');
    });

    test('runs in cwd', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const cwd = join(zygote.folder, 'somewhere');
      mkdirSync(cwd);
      await daemon.run('a', programs.folder, { cwd });
      assert.equal(logOf(zygote, 'a').trim(), cwd);
    });

    test('whose cwd does not exist fails and says so', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const { code } = await daemon.run('a', programs.folder, { cwd: '/no/such/folder' });
      assert.notEqual(code, 0);
      assert.ok(
        runFileOf(zygote, 'a').some((line) => /^error .*\/no\/such\/folder/.test(line)),
        runFileOf(zygote, 'a').join(),
      );
    });

    test('has env, and what it is, in its environment', async () => {
      await using zygote = start({
        config: { pool: 'web' },
        env: { INHERITED: 'from the pool', OTHER: 'pool' },
      });
      const daemon = await Conversation.begin(zygote);
      const env = { GREETING: 'good = day', OTHER: 'run', ROCKSY_KEY: 'forged' };
      const expected = {
        GREETING: 'good = day',
        INHERITED: 'from the pool',
        OTHER: 'run',
        ROCKSY_KEY: 'ROCKSY_KEY',
        ROCKSY_POOL: 'web',
        ROCKSY_RUN_FILE: join(zygote.runs, 'ROCKSY_RUN_FILE.run'),
      };
      for (const [variable, value] of Object.entries(expected)) {
        await daemon.run(variable, programs.variable(variable), { env });
        assert.equal(logOf(zygote, variable).trim(), value);
      }
    });

    test('writes to the log that it was given', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      writeFileSync(join(zygote.runs, 'shared'), 'before\n');
      await daemon.run('a', programs.hello, { log: 'shared' });
      assert.equal(readFileSync(join(zygote.runs, 'shared'), 'utf8'), 'before\nhello\n');
      assert.equal(existsSync(join(zygote.runs, 'a.log')), false);
    });

    test('may carry a request of a megabyte', async () => {
      await using zygote = start(features.parks ? { config: { prefork: 1 } } : {});
      const daemon = await Conversation.serve(zygote);
      const env = Object.fromEntries(
        Array.from({ length: 10 }, (_, index) => [`V${index}`, 'x'.repeat(100_000)]),
      );
      assert.equal((await daemon.run('a', programs.hello, { env })).code, 0);
      assert.equal(logOf(zygote, 'a'), 'hello\n');
    });

    test('outlives its zygote, and its exit code is in its run file', async () => {
      await using zygote = start();
      const gate = join(zygote.folder, 'gate');
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.gate(gate));
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      process.kill(zygote.pid, 'SIGKILL');
      await zygote.exit;
      assert.equal(isAlive(pid), true);
      writeFileSync(gate, '');
      await until('it is over', () => !isAlive(pid));
      assert.match(logOf(zygote, 'a'), /done/);
      await until('its code is on record', () => runFileOf(zygote, 'a').at(-1) === 'exit 0');
    });
  });

  describe(`${name}: keys and claims`, () => {
    test('a key that the zygote knows is refused, until it is acknowledged after its end', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const gate = join(zygote.folder, 'gate');
      daemon.start('a', programs.gate(gate));
      await daemon.about('a', 'claimed');
      daemon.send({ op: 'ack', key: 'a' }); // it has not ended: not forgotten
      daemon.start('a', programs.hello);
      assert.equal((await daemon.about('a', 'refused')).code, 'known');
      writeFileSync(gate, '');
      await daemon.about('a', 'ended');
      daemon.start('a', programs.hello);
      assert.equal((await daemon.about('a', 'refused')).code, 'known');
      daemon.send({ op: 'ack', key: 'a' }, { op: 'start', key: 'a', file: 'another', ...programs.hello });
      assert.equal((await daemon.about('a', 'ended')).claimed, true);
    });

    test('a run file that exists is a claim: nothing runs', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      writeFileSync(join(zygote.runs, 'a.run'), 'claim 1 1 1 elsewhere 1\n');
      const ended = await daemon.run('a', programs.hello);
      assert.equal(ended.claimed, false);
      assert.match(ended.message ?? '', /claimed/);
      assert.ok((ended.code === null) !== (ended.signal === null));
      assert.equal(daemon.named('a').includes('claimed'), false);
      assert.equal(existsSync(join(zygote.runs, 'a.log')), false);
      assert.equal(readFileSync(join(zygote.runs, 'a.run'), 'utf8'), 'claim 1 1 1 elsewhere 1\n');
    });

    test('two keys with one file: one of them runs', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.send(
        { op: 'start', key: 'a', file: 'same', ...programs.hello },
        { op: 'start', key: 'b', file: 'same', ...programs.hello },
      );
      const ended = [await daemon.about('a', 'ended'), await daemon.about('b', 'ended')];
      assert.deepEqual(ended.map(({ claimed }) => claimed).sort(), [false, true]);
      assert.equal(logOf(zygote, 'same'), 'hello\n');
    });

    const long = 'k'.repeat(256);
    const invalid: [string, object][] = [
      ['no file', { file: undefined }],
      ['a file with a folder', { file: '../a' }],
      ['an empty file', { file: '' }],
      ['a log with a folder', { log: '../a.log' }],
      ['a relative cwd', { cwd: 'tmp' }],
      ['an env that is no object of strings', { env: { A: 1 } }],
      ['a stdin that is no string', { stdin: 5 }],
      ['a timeout that is no number', { timeout_ms: 'soon' }],
      ['a key that is too long', { key: long }],
      ['neither class nor argv', { class: undefined, argv: undefined }],
    ];
    test('a start that makes no sense is refused as invalid', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const [what, fields] of invalid) {
        const key = 'key' in fields ? long : 'a';
        daemon.start('a', programs.hello, fields);
        const refused = await daemon.about(key, 'refused');
        assert.equal(refused.code, 'invalid', what);
        assert.notEqual(refused.message, '', what);
      }
      assert.equal((await daemon.run('a', programs.hello)).claimed, true);
    });

    test('keys are told as they came, whatever is in them', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const keys = ['18446744073709551615', '007', '7', 'a "quoted" / é \u2028 key', 'k'.repeat(255)];
      keys.forEach((key, index) => {
        daemon.start(key, programs.hello, { file: `f${index}` });
      });
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).key, key);
    });
  });

  describe(`${name}: signals, timeouts, cancelling`, () => {
    test('a signal reaches the main process', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      const answer = await daemon.ask({ op: 'signal', key: 'a', signal: 10 });
      assert.partialDeepStrictEqual(answer, { event: 'signalled', key: 'a', ok: true });
      assert.partialDeepStrictEqual(await daemon.about('a', 'ended'), {
        code: null,
        signal: 10,
        reason: null,
        claimed: true,
      });
    });

    test('a signal to a run that has ended or is unknown is not sent', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.hello);
      for (const op of ['signal', 'cancel']) {
        for (const key of ['a', 'b']) {
          const answer = await daemon.ask({ op, key, signal: 15, kill_after_ms: 1, reason: 'cancel' });
          assert.partialDeepStrictEqual(answer, { event: 'signalled', key, ok: false });
        }
      }
    });

    test('cancel is SIGTERM; its reason comes back', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      const answer = await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 60_000, reason: 'replaced' });
      assert.partialDeepStrictEqual(answer, { event: 'signalled', key: 'a', ok: true });
      assert.partialDeepStrictEqual(await daemon.about('a', 'ended'), {
        code: null,
        signal: 15,
        reason: 'replaced',
      });
    });

    test('a cancel that is ignored is followed by SIGKILL', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.stubborn);
      await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 100, reason: 'cancel' });
      assert.partialDeepStrictEqual(await daemon.about('a', 'ended'), {
        code: null,
        signal: 9,
        reason: 'cancel',
      });
    });

    test('a second cancel shortens the time and never lengthens it', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const [key, first, second] of [
        ['a', 60_000, 50],
        ['b', 50, 60_000],
      ] as const) {
        daemon.start(key, programs.stubborn);
        await daemon.about(key, 'claimed');
        await ready(zygote, key);
        await daemon.ask({ op: 'cancel', key, kill_after_ms: first, reason: 'cancel' });
        await daemon.ask({ op: 'cancel', key, kill_after_ms: second, reason: 'cancel' });
        assert.partialDeepStrictEqual(await daemon.about(key, 'ended'), { signal: 9, reason: 'cancel' });
      }
    });

    test('a timeout is SIGTERM, then SIGKILL', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('polite', programs.wait, { timeout_ms: 300 });
      daemon.start('stubborn', programs.stubborn, { timeout_ms: 300, kill_after_ms: 100 });
      const polite = await daemon.about('polite', 'ended');
      assert.partialDeepStrictEqual(polite, { code: null, reason: 'timeout', claimed: true });
      assert.equal(polite.signal, 15);
      const stubborn = await daemon.about('stubborn', 'ended');
      assert.partialDeepStrictEqual(stubborn, { code: null, reason: 'timeout', claimed: true });
    });

    test('a timeout holds without a daemon', async () => {
      await using zygote = start();
      const first = await Conversation.begin(zygote, 1);
      first.start('a', programs.wait, { timeout_ms: 200 });
      const { pid } = await first.about('a', 'claimed');
      first.end();
      await until('it is gone', () => !isAlive(pid));
      const second = await Conversation.open(zygote);
      second.send({ op: 'hello', id: 1, version: 1, session: 2 });
      assert.equal((await second.about('a', 'ended')).reason, 'timeout');
    });

    test('a run that ends in time is not timed out', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const ended = await daemon.run('a', programs.exit(4), { timeout_ms: 60_000, kill_after_ms: 0 });
      assert.partialDeepStrictEqual(ended, { code: 4, signal: null, reason: null });
    });
  });

  describe(`${name}: the end of a run`, () => {
    test('nothing that a run left behind is alive when it is told to have ended', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const key of ['a', 'b', 'c']) {
        assert.equal((await daemon.run(key, programs.leave)).code, 0);
        const left = logOf(zygote, key).trim().split('\n').map(Number);
        assert.equal(left.length, 2);
        assert.deepEqual(left.filter(isAlive), []);
      }
    });

    test('what one run leaves behind is killed, and other runs go on', async () => {
      await using zygote = start();
      const gate = join(zygote.folder, 'gate');
      const daemon = await Conversation.begin(zygote);
      daemon.start('other', programs.gate(gate));
      await daemon.about('other', 'claimed');
      await daemon.run('a', programs.leave);
      writeFileSync(gate, '');
      assert.equal((await daemon.about('other', 'ended')).code, 0);
    });

    test('leave_children: they stay', async () => {
      await using zygote = start({ config: { leave_children: true } });
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.leave);
      const left = logOf(zygote, 'a').trim().split('\n').map(Number);
      await daemon.run('b', programs.hello);
      assert.deepEqual(left.filter(isAlive), left);
      for (const pid of left) process.kill(pid, 'SIGKILL');
      for (const pid of left) await until('it is reaped', () => !existsSync(`/proc/${pid}`));
    });
  });

  describe(`${name}: probe, stats, drain`, () => {
    test('a probe goes all the way and leaves nothing', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'probe' }), { event: 'probed', ok: true });
      assert.deepEqual(readdirSync(zygote.runs), []);
    });

    test('a probe that can write no run file says why', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      rmSync(zygote.runs, { recursive: true });
      const probed = await daemon.ask({ op: 'probe' });
      assert.ok(probed.event === 'probed' && !probed.ok);
      assert.notEqual(probed.message ?? '', '');
    });

    test('stats counts runs', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      await daemon.about('a', 'claimed');
      await daemon.run('b', programs.hello);
      const stats = await daemon.ask({ op: 'stats' });
      assert.ok(stats.event === 'stats');
      assert.partialDeepStrictEqual(stats, { running: 1, parked: 0 });
      assert.ok(stats.forks >= 2);
      assert.equal(typeof stats.extra, 'object');
    });

    for (const how of ['drain', 'SIGTERM'] as const) {
      test(`${how}: no more starts; it exits with 0 when all runs have ended and are acknowledged`, async () => {
        await using zygote = start(features.parks ? { config: { prefork: 2 } } : {});
        const gate = join(zygote.folder, 'gate');
        const daemon = await Conversation.serve(zygote);
        daemon.start('a', programs.gate(gate));
        await daemon.about('a', 'claimed');
        if (how === 'drain') {
          daemon.send({ op: 'drain' });
        } else {
          process.kill(zygote.pid, 'SIGTERM');
        }
        // A signal is not in order with requests: ask until it has arrived.
        let session = 2;
        while (!(await daemon.hello(session)).draining) session++;
        await until('only the run is left', () => childrenOf(zygote.pid).length === 1);
        daemon.start('b', programs.hello);
        assert.equal((await daemon.about('b', 'refused')).code, 'draining');
        daemon.end();
        const next = await Conversation.open(zygote);
        assert.partialDeepStrictEqual(await next.hello(session + 1), { draining: true, parked: 0 });
        writeFileSync(gate, '');
        assert.equal((await next.about('a', 'ended')).code, 0);
        assert.equal((await next.ask({ op: 'stats' })).event, 'stats'); // not acknowledged: still there
        next.send({ op: 'ack', key: 'a' });
        assert.deepEqual(await zygote.exit, { code: 0, signal: null });
      });
    }
  });

  if (!features.parks) return;

  describe(`${name}: parked children`, () => {
    const parked = (zygote: TestedZygote, count: number): Promise<void> =>
      until(`${count} are parked`, () => childrenOf(zygote.pid).length === count);

    test('nothing is parked before the probe has succeeded', async () => {
      await using zygote = start({ config: { prefork: 1 } });
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.hello);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'stats' }), { parked: 0 });
      await daemon.ask({ op: 'probe' });
      await parked(zygote, 1);
    });

    test('a run goes to a parked child, which is replaced', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 2);
      const waiting = childrenOf(zygote.pid);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      assert.ok(waiting.includes(pid));
      await parked(zygote, 3);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'stats' }), { running: 1, parked: 2 });
    });

    test('more runs than parked children all run', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 2);
      const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
      daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...programs.hello })));
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
      await parked(zygote, 2);
    });

    test('they end with their zygote; a run of theirs does not', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      const gate = join(zygote.folder, 'gate');
      await parked(zygote, 2);
      daemon.start('a', programs.gate(gate));
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      await parked(zygote, 3);
      const waiting = childrenOf(zygote.pid).filter((child) => child !== pid);
      process.kill(zygote.pid, 'SIGKILL');
      for (const child of waiting) await until('it is gone', () => !isAlive(child));
      writeFileSync(gate, '');
      await until('the run is over', () => !isAlive(pid));
      assert.equal(runFileOf(zygote, 'a').at(-1), 'exit 0');
    });

    test('one that dies while it is parked costs no run', async () => {
      await using zygote = start({ config: { prefork: 1 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 1);
      const [victim = 0] = childrenOf(zygote.pid);
      process.kill(victim, 'SIGKILL');
      // Not a zombie any more: reaped, and so known to be dead. A run that is given to it earlier ends unclaimed.
      await until('it is reaped', () => !existsSync(`/proc/${victim}`));
      assert.equal((await daemon.run('a', programs.hello)).code, 0);
    });

    test('one that does not claim in time is killed, and the run given to another', async () => {
      await using zygote = start({ config: { prefork: 1, claim_timeout_ms: 300 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 1);
      const [stopped = 0] = childrenOf(zygote.pid);
      process.kill(stopped, 'SIGSTOP');
      daemon.start('a', programs.hello);
      assert.equal((await daemon.about('a', 'forked')).pid, stopped);
      const ended = await daemon.about('a', 'ended');
      assert.partialDeepStrictEqual(ended, { code: 0, claimed: true, reason: null });
      assert.notEqual(ended.pid, stopped);
      assert.equal(isAlive(stopped), false);
      assert.equal(logOf(zygote, 'a'), 'hello\n');
    });

    test('when four in a row have not claimed, nothing of the run has begun, and so it ends', async () => {
      await using zygote = start({ config: { prefork: 4, claim_timeout_ms: 200 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 4);
      for (const child of childrenOf(zygote.pid)) process.kill(child, 'SIGSTOP');
      const ended = await daemon.run('a', programs.hello);
      assert.partialDeepStrictEqual(ended, { claimed: false, signal: 9, code: null });
      assert.notEqual(ended.message ?? '', '');
      assert.equal(daemon.named('a').filter((name) => name === 'forked').length, 4);
      assert.equal(existsSync(join(zygote.runs, 'a.run')), false);
    });

    test('hello tells how many there are', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      await parked(zygote, 2);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'stats' }), { parked: 2 });
      const hello = await daemon.hello(2);
      assert.equal(hello.parked, 2);
      const open = readdirSync(`/proc/${zygote.pid}/fd`).map(Number);
      assert.deepEqual(
        open.filter((fd) => !hello.descriptors.includes(fd)),
        [],
      );
    });
  });
}
