import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Folder, RunningKeeper } from './fixtures/harness.ts';
import { HttpClients } from './http-clients.ts';
import { idleParsers } from './http-connection.ts';

const entry = fileURLToPath(new URL('./fixtures/http.ts', import.meta.url));
let lastId = 0;

interface Kind {
  /** How many requests are under way at a time. */
  readonly pipelined: number;
  readonly ms: number;
  readonly filler: number;
  /** Of the request's body; 0: a GET. */
  readonly body: number;
}

/** A client that asks all the time over one connection and compares every byte of the answers. */
class Asker {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly #kind: Kind;
  /** Ids that an answer is owed to, in this order. */
  readonly #owed: number[] = [];
  #outbox = '';
  #inbox = '';
  #heard = 0;
  #stopped = false;
  #more = Promise.withResolvers<void>();

  constructor(port: number, kind: Kind) {
    this.#kind = kind;
    this.socket = connect(port, '127.0.0.1');
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes) => this.#hear(bytes.toString()));
    for (let i = 0; i < kind.pipelined; i++) this.#ask();
  }

  #ask(): void {
    const { ms, filler, body } = this.#kind;
    this.#owed.push(++lastId);
    if (this.#outbox === '') setImmediate(() => this.#pump());
    this.#outbox += `${body > 0 ? 'POST' : 'GET'} /${lastId}/${ms}/${filler} HTTP/1.1\r\nHost: x\r\n`;
    this.#outbox += body > 0 ? `Content-Length: ${body}\r\n\r\n${'y'.repeat(body)}` : '\r\n';
  }

  /** In pieces, so that some requests are in half when a takeover begins. */
  #pump(): void {
    const cut = 1 + Math.floor(Math.random() * Math.min(this.#outbox.length, 200));
    this.socket.write(this.#outbox.slice(0, cut));
    this.#outbox = this.#outbox.slice(cut);
    if (this.#outbox !== '') setImmediate(() => this.#pump());
  }

  #hear(text: string): void {
    this.#inbox += text;
    for (let head = this.#inbox.indexOf('\r\n\r\n'); head >= 0; head = this.#inbox.indexOf('\r\n\r\n')) {
      const length = Number(/^Content-Length: (\d+)/m.exec(this.#inbox.slice(0, head))?.[1]);
      if (this.#inbox.length < head + 4 + length) break;
      assert.match(this.#inbox, /^HTTP\/1\.1 200 OK\r\n/);
      const answer = this.#inbox.slice(head + 4, head + 4 + length);
      assert.equal(answer, `${this.#owed.shift()} ${this.#kind.body} ${'x'.repeat(this.#kind.filler)}`);
      this.#inbox = this.#inbox.slice(head + 4 + length);
      this.#heard++;
      if (!this.#stopped) this.#ask();
    }
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }

  async hears(more: number): Promise<void> {
    for (const until = this.#heard + more; this.#heard < until; ) await this.#next();
  }

  /** All that it has asked for has come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#owed.length > 0) await this.#next();
    assert.equal(this.#inbox, '');
    this.socket.destroy();
  }

  #next(): Promise<unknown> {
    const ended = this.closed.then(() => {
      throw new Error(`the connection ended, with ${this.#owed.length} answers to come`);
    });
    return Promise.race([this.#more.promise, ended]);
  }
}

function start(folder: Folder, behaviour: object = {}): RunningKeeper {
  const listeners = [{ name: 'tcp', kind: 'tcp', host: '127.0.0.1', port: 0, backlog: 512 } as const];
  const args = [JSON.stringify({ journal: join(folder.path, 'journal'), ...behaviour })];
  return new RunningKeeper({ ...folder.options('', { listeners, entry }), args });
}

async function takeOver(keeper: RunningKeeper): Promise<number> {
  keeper.kill('SIGHUP');
  const line = await keeper.line(({ event }) => event === 'serving' || event === 'refused');
  assert.equal(line.event, 'serving', line.reason);
  return line.pid ?? 0;
}

async function refusal(keeper: RunningKeeper): Promise<string> {
  keeper.kill('SIGHUP');
  return (await keeper.event('refused')).reason ?? '';
}

const request = (path: string, ...headers: string[]): string =>
  ['GET', path, 'HTTP/1.1\r\nHost: x\r\n'].join(' ') + [...headers, '', ''].join('\r\n');

async function answerTo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString();
}

for (const [times, eavesdrops] of [
  [10, false],
  [3, true],
] as const) {
  const how = eavesdrops ? ', when somebody listens to the sockets' : '';
  test(`${times} takeovers under load: no request fails, none is answered twice, no connection ends${how}`, async () => {
    using folder = new Folder();
    await using keeper = start(folder, { eavesdrops });
    const first = await keeper.event('serving');
    const port = first.port?.port ?? 0;
    const kinds: Kind[] = [
      { pipelined: 1, ms: 0, filler: 10, body: 0 },
      { pipelined: 1, ms: 20, filler: 10, body: 100 },
      { pipelined: 1, ms: 0, filler: 200_000, body: 3_000 },
      { pipelined: 3, ms: 0, filler: 1_000, body: 0 },
      { pipelined: 5, ms: 5, filler: 10, body: 300 },
      { pipelined: 1, ms: 150, filler: 0, body: 0 },
    ];
    const askers = [...kinds, ...kinds].map((kind) => new Asker(port, kind));
    await using keptAlive = new AgentAsker(port, true);
    await using closing = new AgentAsker(port, false);
    const pids = new Set([first.pid]);
    for (let i = 0; i < times; i++) {
      const newcomer = new Asker(port, kinds[i % kinds.length] as Kind);
      pids.add(await takeOver(keeper));
      askers.push(newcomer);
      await Promise.all(askers.map((asker) => asker.hears(2)));
    }
    assert.equal(pids.size, times + 1);
    await Promise.all(askers.map((asker) => asker.stop()));
    assert.equal(await keptAlive.stop(), 1);
    await closing.stop();
    const answered = readFileSync(join(folder.path, 'journal'), 'utf8').trim().split('\n');
    assert.equal(new Set(answered).size, answered.length);
    keeper.kill('SIGTERM');
    assert.equal(await keeper.end(), 0);
  });
}

/** Node's own client, one request after the other, all on one connection or each on its own. */
class AgentAsker implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #port: number;
  readonly #ports = new Set<number | undefined>();
  readonly #running: Promise<void>;
  #answers = 0;
  #stopped = false;

  constructor(port: number, keepAlive: boolean) {
    this.#port = port;
    this.#agent = new Agent({ keepAlive, maxSockets: 1 });
    this.#running = this.#run();
    void Promise.allSettled([this.#running]);
  }

  async #run(): Promise<void> {
    for (; !this.#stopped; this.#answers++) {
      const id = ++lastId;
      assert.equal(await this.#get(id), `${id} 0 x`);
      await sleep(Math.random() * 5);
    }
  }

  #get(id: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const sent = get({ port: this.#port, agent: this.#agent, path: `/${id}/0/1` }, async (response) => {
      this.#ports.add(sent.socket?.localPort);
      let text = '';
      for await (const bytes of response.setEncoding('utf8')) text += bytes;
      resolve(text);
    });
    sent.on('error', reject);
    return promise;
  }

  /** @returns how many connections it took */
  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#running;
    assert.ok(this.#answers > 20);
    return this.#ports.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#agent.destroy();
  }
}

test('a response in progress is sent to its end before the takeover, one that has no end has it refused', async () => {
  using folder = new Folder();
  await using keeper = start(folder, { quiesceMs: 400 });
  const worker = await keeper.event('serving');
  const port = worker.port?.port ?? 0;
  const asker = new Asker(port, { pipelined: 1, ms: 0, filler: 10, body: 0 });
  const idle = connect(port, '127.0.0.1');
  assert.match(await answerTo(idle, request('/idle/0/1')), /idle 0 x$/);
  const endless = connect(port, '127.0.0.1');
  assert.match(await answerTo(endless, request('/forever')), /without end/);
  const half = connect(port, '127.0.0.1');
  half.write(request('/half/0/1').slice(0, 20));
  assert.match(await refusal(keeper), /requests are still in progress on 2 connections after 400 ms/);
  await asker.hears(20);
  assert.match(await answerTo(idle, request('/idle again/0/1')), /^HTTP/);
  assert.match(await answerTo(half, request('/half/0/1').slice(20)), /half 0 x$/);
  assert.match(await refusal(keeper), /requests are still in progress on 1 connection after 400 ms/);
  endless.destroy();
  const slow = connect(port, '127.0.0.1');
  slow.write(request('/slow/300/1'));
  await asker.hears(20);
  const [answer, pid] = await Promise.all([once(slow, 'data'), takeOver(keeper)]);
  assert.match(String(answer[0]), /slow 0 x$/);
  assert.notEqual(pid, worker.pid);
  assert.match(await answerTo(half, request('/last/0/1')), /last 0 x$/);
  await asker.stop();
  for (const socket of [idle, half, slow]) socket.destroy();
});

const UPGRADE = request('/', 'Connection: Upgrade', 'Upgrade: echo');

test('an upgraded connection has a takeover refused at once, and stays', async () => {
  using folder = new Folder();
  await using keeper = start(folder);
  const port = (await keeper.event('serving')).port?.port ?? 0;
  const socket = connect(port, '127.0.0.1');
  assert.match(await answerTo(socket, UPGRADE), /^HTTP\/1\.1 101 /);
  assert.match(await refusal(keeper), /1 connection can't go over: upgraded \(WebSocket, CONNECT\)/);
  assert.equal(await answerTo(socket, 'still there'), 'still there');
  socket.end();
  await once(socket, 'close');
  await takeOver(keeper);
});

test('a server that ends its upgraded connections is taken over, and who comes again comes to the successor', async () => {
  using folder = new Folder();
  await using keeper = start(folder, { endsUpgraded: true });
  const port = (await keeper.event('serving')).port?.port ?? 0;
  const [socket, again] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  assert.match(await answerTo(socket, UPGRADE), /^HTTP\/1\.1 101 /);
  const upgraded = once(socket, 'data').then(() => answerTo(again, UPGRADE));
  await takeOver(keeper);
  assert.match(await upgraded, /^HTTP\/1\.1 101 /);
  assert.equal(await answerTo(again, 'hello'), 'hello');
});

/** Resolves when a server has closed a connection that was idle for its `keepAliveTimeout`, as this Node takes it. */
async function anIdleConnectionEnds(keepAliveTimeout: number): Promise<void> {
  const server = createServer({ keepAliveTimeout }, (_, response) => response.end('x'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  await answerTo(client, request('/'));
  await once(client.resume(), 'close');
  server.close();
}

/** A request that stays in progress until its last byte is sent, which `answerTo` can do. */
const ALL_BUT_ONE_BYTE = 'POST /begun/0/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1';
const answeredBy = (answer: string): number => Number(/^X-Pid: (\d+)/m.exec(answer)?.[1]);

test('what is asked while a takeover waits is answered by the successor, on old and new connections', async () => {
  using folder = new Folder();
  await using keeper = start(folder, { keepAliveTimeoutMs: 500, endsUpgraded: true });
  const { port: address, pid } = await keeper.event('serving');
  const port = address?.port ?? 0;
  const [slow, idle] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  for (const socket of [slow, idle]) socket.write(ALL_BUT_ONE_BYTE);
  keeper.kill('SIGHUP');
  await keeper.event('quiescing');
  assert.equal(answeredBy(await answerTo(idle, '2')), pid);
  // Longer than it may be idle: nobody reads from it, so that nobody knows whether it is.
  await anIdleConnectionEnds(500);
  const asked = [idle, connect(port, '127.0.0.1')].map((socket) => answerTo(socket, request('/asked/0/0')));
  assert.equal(answeredBy(await answerTo(slow, '2')), pid);
  const successor = await keeper.event('serving');
  for (const answer of await Promise.all(asked)) assert.equal(answeredBy(answer), successor.pid);
});

test('connections that were taken over count and are timed out like others', async () => {
  using folder = new Folder();
  await using keeper = start(folder, { keepAliveTimeoutMs: 1000, endsUpgraded: true });
  const { port: address, pid } = await keeper.event('serving');
  const [used, kept, fresh] = [1, 2, 3].map(() => connect(address?.port ?? 0, '127.0.0.1')) as Three;
  await once(fresh, 'connect');
  for (const socket of [used, kept]) socket.write(ALL_BUT_ONE_BYTE);
  keeper.kill('SIGHUP');
  await keeper.event('quiescing');
  for (const socket of [used, kept]) assert.equal(answeredBy(await answerTo(socket, '2')), pid);
  const long = answerTo(used, request('/long/2500/1'));
  await keeper.event('serving');
  assert.equal(await connections(keeper), 3);
  await once(kept.resume(), 'close');
  assert.equal(await connections(keeper), 2);
  assert.match(await long, /long 0 x$/);
  assert.match(await answerTo(fresh, request('/first/0/1')), /first 0 x$/);
});

type Three = [Socket, Socket, Socket];

async function connections(keeper: RunningKeeper): Promise<number> {
  keeper.kill('SIGUSR2');
  return ((await keeper.event('connections')) as unknown as { connections: number }).connections;
}

test('a connection that is no socket has a takeover refused', async () => {
  const server = createServer();
  const clients = new HttpClients(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const [ours, theirs] = duplexPair();
  server.emit('connection', theirs);
  await assert.rejects(clients.quiesce(AbortSignal.timeout(1000)), /1 connection can't go over/);
  clients.resume();
  assert.match(await answerTo(ours as Socket, 'nonsense\r\n\r\n'), /400 Bad Request/);
  server.close();
});

async function becomes(holds: () => boolean, wanted: boolean): Promise<void> {
  while (holds() !== wanted) await nextTurn();
}

test("Node tells of its parser's state what this goes by", async () => {
  const server = createServer((_, response) => response.end('x'));
  const sockets: (Socket & { parser?: object })[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const isIdle = (): boolean => idleParsers(server).has(sockets[0]?.parser);
  await answerTo(client, request('/'));
  await becomes(isIdle, true);
  // The end of one request and the first byte of the next one in one piece.
  await answerTo(client, `${request('/')}G`);
  await becomes(isIdle, false);
  await answerTo(client, request('/').slice(1));
  await becomes(isIdle, true);
  client.destroy();
  server.close();
});
