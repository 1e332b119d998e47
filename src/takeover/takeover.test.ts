import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { counterEntry, Folder, RunningKeeper } from './fixtures/harness.ts';

/** A client that asks all the time and compares every byte of what it hears with what it has to hear. */
class Asker {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #asked = 0;
  #heard = 0;
  #rest = '';
  #outbox = '';
  #stopped = false;
  #more = Promise.withResolvers<void>();
  readonly #fillers: number[] = [];

  constructor(port: number, pipelined: number, filler: number) {
    this.socket = connect(port, '127.0.0.1');
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes) => this.#hear(bytes.toString()));
    for (let i = 0; i < pipelined; i++) this.#ask(filler);
  }

  #ask(filler: number): void {
    const line = `q${++this.#asked} ${filler}\n`;
    this.#fillers.push(filler);
    if (this.#outbox === '') setImmediate(() => this.#pump());
    this.#outbox += line;
  }

  /** In pieces, so that some requests are in half when everything stands still. */
  #pump(): void {
    const cut = 1 + Math.floor(Math.random() * Math.min(this.#outbox.length, 20));
    this.socket.write(this.#outbox.slice(0, cut));
    this.#outbox = this.#outbox.slice(cut);
    if (this.#outbox !== '') setImmediate(() => this.#pump());
    else this.#wake();
  }

  #wake(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const filler = this.#fillers[this.#heard] as number;
      this.#heard++;
      assert.equal(line, `${this.#heard} q${this.#heard} ${filler} ${'x'.repeat(filler)}`);
      if (!this.#stopped) this.#ask(filler);
    }
    this.#wake();
  }

  get heard(): number {
    return this.#heard;
  }

  async hears(more: number): Promise<void> {
    for (const until = this.#heard + more; this.#heard < until; ) await this.#more.promise;
  }

  /** Ends its side; everything that it has asked for has to come before the end of the other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#outbox !== '') await this.#more.promise;
    this.socket.end();
    await this.closed;
    assert.equal(this.#heard, this.#asked);
    assert.equal(this.#rest, '');
  }
}

function start(folder: Folder, grief: object | null = null, changes: object = {}): RunningKeeper {
  const listeners = [{ name: 'tcp', kind: 'tcp', host: '127.0.0.1', port: 0, backlog: 512 } as const];
  const options = folder.options('', { listeners, entry: counterEntry, ...changes });
  return new RunningKeeper({ ...options, args: [JSON.stringify(grief)] });
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

test('a takeover loses no byte of any client, and newcomers wait', async () => {
  using folder = new Folder();
  await using keeper = start(folder);
  let worker = await keeper.event('serving');
  const port = worker.port?.port ?? 0;
  const askers = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => new Asker(port, n * 3, n === 8 ? 200_000 : n * 10));
  // One that does not read: its answers sit half-written. One that has ended its side already: it is owed answers.
  const slow = new Asker(port, 20, 100_000);
  slow.socket.pause();
  const pids = new Set([worker.pid]);
  for (let i = 0; i < 10; i++) {
    keeper.kill('SIGHUP');
    askers.push(new Asker(port, 2, 5));
    worker = await keeper.event('serving');
    pids.add(worker.pid);
    await Promise.all(askers.map((asker) => asker.hears(5)));
  }
  assert.equal(pids.size, 11);
  slow.socket.resume();
  await Promise.all([...askers, slow].map((asker) => asker.stop()));
  keeper.kill('SIGTERM');
  assert.equal(await keeper.end(), 0);
});

const steps = {
  successor: ['loading', 'prepared', 'passed', 'rehearsed', 'frozen', 'adopted', 'said'],
  predecessor: ['introduced', 'passed', 'rehearsed', 'quiesced', 'frozen', 'adopted'],
} as const;

for (const how of ['kill', 'exit', 'throw', 'hang'] as const) {
  for (const step of steps.successor) {
    // What comes after the word has been given can't be told from success, but for its death.
    if (step === 'said' && how !== 'kill') continue;
    test(`a successor that comes to grief (${how}) at '${step}' changes nothing`, async () => {
      using folder = new Folder();
      const once = join(folder.path, 'grief');
      await using keeper = start(
        folder,
        { role: 'successor', step, how, once },
        { takeoverTimeoutMs: how === 'hang' ? 1_500 : 30_000 },
      );
      const worker = await keeper.event('serving');
      const asker = new Asker(worker.port?.port ?? 0, 3, 10);
      await asker.hears(1);
      keeper.kill('SIGHUP');
      if (step === 'said') {
        // Killed between its word and the other's: nobody may serve twice, and somebody has to.
        await keeper.line((line) => line.event === 'serving' || line.event === 'refused');
      } else {
        const refused = await keeper.event('refused');
        assert.equal(refused.pid, worker.pid);
        if (how === 'throw') assert.match(refused.output ?? '', new RegExp(`grief at ${step}`));
        if (how === 'kill') assert.match(refused.reason ?? '', /was killed by SIGKILL/);
        const before = descriptors(worker.pid);
        await asker.hears(20);
        // The next one, to which nothing happens, succeeds.
        keeper.kill('SIGHUP');
        const successor = await keeper.event('serving');
        assert.notEqual(successor.pid, worker.pid);
        assert.ok(descriptors(successor.pid) <= before + 1);
        await asker.hears(20);
        await asker.stop();
      }
    });
  }
}

for (const step of steps.predecessor) {
  test(`a predecessor that is killed at '${step}' is succeeded all the same`, async () => {
    using folder = new Folder();
    const once = join(folder.path, 'grief');
    await using keeper = start(folder, { role: 'predecessor', step, how: 'kill', once });
    const worker = await keeper.event('serving');
    const port = worker.port?.port ?? 0;
    const asker = new Asker(port, 3, 10);
    await asker.hears(1);
    keeper.kill('SIGHUP');
    const successor = await keeper.event('serving');
    assert.notEqual(successor.pid, worker.pid);
    if (step === 'frozen' || step === 'adopted') {
      // The successor had everything: not even the connection is lost.
      await asker.hears(20);
      await asker.stop();
    } else await asker.closed;
    const next = new Asker(port, 3, 10);
    await next.hears(20);
    await next.stop();
  });

  if (step === 'introduced' || step === 'quiesced' || step === 'frozen') {
    test(`a predecessor that fails at '${step}' goes on`, async () => {
      using folder = new Folder();
      const once = join(folder.path, 'grief');
      await using keeper = start(folder, { role: 'predecessor', step, how: 'throw', once });
      const worker = await keeper.event('serving');
      const asker = new Asker(worker.port?.port ?? 0, 3, 10);
      await asker.hears(1);
      keeper.kill('SIGHUP');
      assert.match((await keeper.event('refused')).reason ?? '', new RegExp(`grief at ${step}`));
      await asker.hears(20);
      keeper.kill('SIGHUP');
      await keeper.event('serving');
      await asker.stop();
    });
  }
}
