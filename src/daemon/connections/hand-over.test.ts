import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { Connection, type Transport } from './connection.ts';
import { IDLE } from './hand-over.ts';
import type { Task } from './task.ts';

const LIMITS = {
  lineBytes: 300,
  pipelined: 4,
  connections: 10,
  unreadBytes: 400,
  pushBytes: 100_000,
};

/** A client's end: takes so many bytes when it is told to, and keeps them. */
class Wire implements Transport {
  heard = '';
  isPaused = false;
  isEnded = false;
  #flight: { readonly bytes: Buffer; left: number; readonly done: () => void } | null = null;

  write(bytes: Buffer, done: () => void): void {
    assert.equal(this.#flight, null, 'one write is in flight at a time');
    this.#flight = { bytes, left: bytes.length, done };
  }

  /** The kernel takes some more of what is in flight. */
  take(bytes: number): void {
    const flight = this.#flight;
    if (flight === null) return;
    const at = flight.bytes.length - flight.left;
    const taken = Math.min(bytes, flight.left);
    this.heard += flight.bytes.subarray(at, at + taken).toString();
    flight.left -= taken;
    if (flight.left > 0) return;
    this.#flight = null;
    flight.done();
  }

  /** The other process has it from here. */
  handOver(): number {
    const left = this.#flight?.left ?? 0;
    this.#flight = null;
    return left;
  }

  get isBusy(): boolean {
    return this.#flight !== null;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  expire(): void {}

  end(): void {
    this.isEnded = true;
  }
}

/** `short` is answered after some turns, `long` after more, and goes over; a successor counts on from where it was. */
async function answer(
  { name, fields }: { name: string; fields: { readonly [key: string]: unknown } },
  _connection: Connection,
  task: Task,
): Promise<object | null> {
  let turns = (task.resumed as { turns: number } | null)?.turns ?? Number(fields.turns ?? 0);
  if (name === 'long') task.handOver(() => ({ turns }));
  for (; turns > 0; turns--) await nextTurn();
  return { ok: true, n: fields.n, filler: 'x'.repeat(Number(fields.filler ?? 0)) };
}

interface Question {
  readonly name: 'short' | 'long' | 'bad';
  readonly turns: number;
  readonly filler: number;
  readonly withId: boolean;
}

function lineOf({ name, turns, filler, withId }: Question, n: number): string {
  if (name === 'bad') return `bad {"n":${n},\n`;
  return `${name} ${JSON.stringify({ n, turns, filler, ...(withId ? { id: n } : {}) })}\n`;
}

const questions = fc.array(
  fc.record({
    name: fc.constantFrom('short', 'long', 'bad'),
    turns: fc.nat(5),
    filler: fc.nat(150),
    withId: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
);
/** What happens, step by step: input comes (so many bytes), output leaves, turns pass, everything is handed over. */
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ input: fc.integer({ min: 1, max: 120 }) }) },
    { weight: 4, arbitrary: fc.record({ output: fc.integer({ min: 1, max: 200 }) }) },
    { weight: 3, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ takeover: fc.constantFrom('reading', 'not reading') }) },
  ),
  { maxLength: 60 },
);

function connectionOn(wire: Wire): Connection {
  return new Connection({ name: 'test', role: 'admin', limits: LIMITS, transport: wire, answer });
}

async function takeOver(
  connection: Connection,
  wire: Wire,
  client: string,
): Promise<{ connection: Connection; wire: Wire }> {
  connection.suspend();
  do await nextTurn();
  while (!connection.isReadyToGo);
  if (client === 'reading') wire.take(1000);
  const { hasSpoken, isIdle, role } = connection;
  const { saved, pieces } = isIdle
    ? { saved: { ...IDLE, role, first: !hasSpoken }, pieces: [] }
    : connection.save(wire.handOver());
  const bytes = Buffer.concat(pieces);
  const state = JSON.parse(JSON.stringify(saved)) as typeof saved;
  assert.equal(bytes.length, state.inputBytes + state.outputBytes);
  const next = new Wire();
  next.heard = wire.heard;
  const successor = connectionOn(next);
  successor.suspend();
  successor.restore(state, bytes.subarray(0, state.inputBytes), bytes.subarray(state.inputBytes));
  successor.resume();
  return { connection: successor, wire: next };
}

test('any stream of requests, cut anywhere and handed over at any moment, is answered as if nothing had been', async () => {
  await fc.assert(
    fc.asyncProperty(questions, steps, fc.boolean(), async (asked, happenings, halfLine) => {
      let wire = new Wire();
      let connection = connectionOn(wire);
      let input = asked.map(lineOf).join('') + (halfLine ? 'short {"n":' : '');
      const feed = (bytes: number): void => {
        // What has been read already comes also to a connection that has paused: a chunk at most.
        if (input === '' || wire.isPaused) return;
        connection.feed(Buffer.from(input.slice(0, bytes)));
        input = input.slice(bytes);
      };
      for (const happening of happenings) {
        if ('input' in happening) feed(happening.input);
        else if ('output' in happening) wire.take(happening.output);
        else if ('turns' in happening) for (let i = 0; i < happening.turns; i++) await nextTurn();
        else ({ connection, wire } = await takeOver(connection, wire, happening.takeover));
      }
      while (input !== '') {
        feed(64);
        wire.take(1000);
        await nextTurn();
      }
      connection.inputEnded();
      for (let i = 0; i < 2000 && !wire.isEnded; i++) {
        wire.take(1000);
        await nextTurn();
      }
      assert.ok(wire.isEnded, 'our side ends when all is answered');
      assert.equal(wire.isBusy, false);
      const lines = wire.heard.split('\n');
      assert.equal(lines.pop(), '', 'no half line');
      const heard = lines.map((line) => JSON.parse(line) as { id?: number; n?: number; error_text?: string });
      const numbers = asked.map((question, n) => ({ ...question, n }));
      const inOrder = numbers.filter(({ name, withId }) => name === 'bad' || !withId);
      assert.deepEqual(
        heard.filter(({ id }) => id === undefined).map(({ n, error_text }) => n ?? error_text),
        inOrder.map(({ name, n }) => (name === 'bad' ? 'Invalid JSON' : n)),
      );
      assert.deepEqual(
        heard.flatMap(({ id }) => id ?? []).sort((a, b) => a - b),
        numbers.filter(({ name, withId }) => name !== 'bad' && withId).map(({ n }) => n),
      );
    }),
    { numRuns: Number(process.env.RUNS ?? 300) },
  );
});
