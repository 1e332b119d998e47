import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ZygoteEvent } from '../contract.ts';
import { Session, type SessionOwner } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-session-'));
after(() => rmSync(folder, { recursive: true }));

class Owner implements SessionOwner {
  readonly lines: string[] = [];
  readonly latest = new Map<string, ZygoteEvent | 'waiting'>();
  closes = 0;
  onRequest(_session: Session, line: Buffer): void {
    this.lines.push(line.toString());
  }
  latestEvent(key: string): ZygoteEvent | 'waiting' | null {
    return this.latest.get(key) ?? null;
  }
  onClose(): void {
    this.closes++;
  }
}

/** A session and the daemon's socket, neither of which reads before it is told to. */
async function pair(
  name: string,
): Promise<{ owner: Owner; session: Session; socket: net.Socket; daemon: net.Socket }> {
  const owner = new Owner();
  const server = net.createServer().listen(join(folder, name));
  await once(server, 'listening');
  const daemon = net.connect({ path: join(folder, name) });
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return { owner, session: new Session(socket, owner), socket, daemon };
}

const descriptor = (socket: net.Socket): number =>
  (socket as unknown as { _handle: { fd: number } })._handle.fd;
const ended = (key: string, pad: number): ZygoteEvent => ({
  event: 'ended',
  key,
  pid: 1,
  code: 0,
  signal: null,
  reason: null,
  claimed: true,
  message: 'x'.repeat(pad),
  cpu_user_ms: 0,
  cpu_system_ms: 0,
  max_rss_bytes: 0,
});

/** Reads up to the event that carries this message. */
async function readUntil(daemon: net.Socket, message: string): Promise<ZygoteEvent[]> {
  const events: ZygoteEvent[] = [];
  let rest = '';
  for await (const chunk of daemon.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map((line) => JSON.parse(line) as ZygoteEvent));
    const last = events.at(-1);
    if (last?.event === 'error' && last.message.includes(message)) break;
  }
  return events;
}

test('a session that is superseded carries out what waits, which no turn of the loop has read', async () => {
  const { owner, session, daemon } = await pair('waiting');
  const closed = once(daemon, 'close');
  daemon.resume();
  // Straight into the kernel, within one turn of the loop: Node can't have read it.
  const fd = descriptor(daemon);
  const lines = Array.from({ length: 2000 }, (_, index) => `{"op":"ack","key":"${index}"}`);
  writeSync(fd, `${lines.join('\n')}\n{"op":"unfini`);
  session.supersede();
  assert.deepEqual(owner.lines, lines);
  assert.equal(session.isOpen, false);
  assert.equal(owner.closes, 1);
  await closed;
  assert.equal(owner.lines.length, 2000, 'and nothing comes later');
});

test('a superseded session whose daemon has gone is read to its end', async () => {
  const { owner, session, daemon } = await pair('gone');
  writeSync(descriptor(daemon), '{"op":"ack","key":"a"}\n');
  daemon.destroy();
  session.supersede();
  assert.deepEqual(owner.lines, ['{"op":"ack","key":"a"}']);
});

test('news of runs shrinks to their latest events while nobody reads', async () => {
  const { owner, session, socket, daemon } = await pair('slow');
  for (let round = 0; round < 100; round++) {
    for (let index = 0; index < 1000; index++) {
      owner.latest.set(`k${index}`, ended(`k${index}`, round));
      session.tell(`k${index}`);
    }
    await new Promise(setImmediate);
  }
  assert.ok(session.isOpen);
  assert.ok(socket.writableLength < 2 << 20, `${socket.writableLength} bytes wait`);
  session.greet([], { event: 'error', message: 'greeting' });
  const events = await readUntil(daemon, 'greeting');
  const last = new Map(
    events.flatMap((event) => (event.event === 'ended' ? [[event.key, event] as const] : [])),
  );
  assert.equal(last.size, 1000);
  for (const event of last.values()) assert.equal(event.message?.length, 99, 'the last word is the latest');
  daemon.destroy();
});

test('a greeting comes after every run, however many there are, and forgotten ones are left out', async () => {
  const { owner, session, socket, daemon } = await pair('many');
  const keys = Array.from({ length: 50_000 }, (_, index) => `k${index}`);
  for (const key of keys) owner.latest.set(key, ended(key, 100));
  session.greet(keys, { event: 'error', message: 'greeting' });
  assert.ok(socket.writableLength < 2 << 20);
  owner.latest.delete('k49999');
  const events = await readUntil(daemon, 'greeting');
  assert.equal(events.length, 50_000);
  assert.equal(new Set(events.map((event) => 'key' in event && event.key)).size, 50_000);
  daemon.destroy();
});

test('a greeting comes after a run whose child is still to be made', async () => {
  const { owner, session, daemon } = await pair('waiting');
  owner.latest.set('a', 'waiting');
  owner.latest.set('b', ended('b', 1));
  session.greet(['a', 'b'], { event: 'error', message: 'greeting' });
  await new Promise(setImmediate);
  owner.latest.set('a', ended('a', 1));
  session.tell('a');
  const events = await readUntil(daemon, 'greeting');
  assert.deepEqual(
    events.map((event) => ('key' in event ? event.key : event.event)),
    ['b', 'a', 'error'],
  );
  daemon.destroy();
});

test('answers that nobody reads end the session', async () => {
  const { owner, session, daemon } = await pair('answers');
  for (let index = 0; session.isOpen && index < 1_000_000; index++) {
    session.say({ event: 'signalled', id: index, key: 'k', ok: true });
  }
  assert.equal(session.isOpen, false);
  assert.equal(owner.closes, 1);
  daemon.destroy();
});

test('a line without end ends the session', async () => {
  const { owner, daemon } = await pair('endless');
  daemon.on('error', () => {});
  const chunk = Buffer.alloc(1 << 20, 'x');
  const closed = once(daemon, 'close');
  for (let index = 0; index < 17; index++) daemon.write(chunk);
  const events = await readUntil(daemon, 'longer than');
  assert.ok(events[0]?.event === 'error' && /longer than/.test(events[0].message));
  daemon.destroy();
  await closed;
  assert.equal(owner.closes, 1);
});
