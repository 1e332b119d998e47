import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isReadable, socketpair } from '../posix/index.ts';
import { PeerGone, receive } from './dispatches.ts';
import { handOver } from './hand-over.ts';

/** A successor's ends, played by the test in this process. */
class Peer {
  readonly #dispatches: number;
  readonly #answers: number;

  constructor(dispatches: number, answers: number) {
    this.#dispatches = dispatches;
    this.#answers = answers;
  }

  /** Takes and acknowledges so many messages. */
  async take(count: number): Promise<string[]> {
    const kinds: string[] = [];
    while (kinds.length < count) {
      if (!isReadable(this.#dispatches, 0)) {
        await nextTurn();
        continue;
      }
      const message = receive(this.#dispatches);
      kinds.push(message?.kind ?? 'end');
      for (const fd of message?.fds ?? []) closeSync(fd);
      writeSync(this.#answers, '.');
    }
    return kinds;
  }

  die(): void {
    closeSync(this.#dispatches);
    closeSync(this.#answers);
  }
}

function begin(timeoutMs: number): { over: Promise<void>; peer: Peer; events: string[]; reasons: Error[] } {
  const [dispatches, theirDispatches] = socketpair('seqpacket');
  const [answers, theirAnswers] = socketpair('stream');
  const events: string[] = [];
  const estate = {
    connections: () => [],
    settle: (signal: AbortSignal) =>
      new Promise<void>((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('The operation was aborted'))),
      ),
    quiesce: async () => void events.push('quiesced'),
    state: () => Buffer.from('state'),
    resume: () => void events.push('resumed'),
  };
  const reasons: Error[] = [];
  const failed = (reason: Error): void => {
    events.push('told');
    reasons.push(reason);
  };
  const over = handOver(estate, { dispatches, answers, listeners: [], timeoutMs }, failed);
  return { over, peer: new Peer(theirDispatches, theirAnswers), events, reasons };
}

test('a wait that is aborted is no reason: that the successor died is', async () => {
  const { over, peer, events, reasons } = begin(60_000);
  assert.deepEqual(await peer.take(4), ['memory', 'rehearsal', 'rehearsal', 'rehearsal']);
  peer.die();
  await over;
  assert.ok(reasons[0] instanceof PeerGone);
  assert.deepEqual(events, ['told', 'resumed']);
});

test('nor is it where the time is up', async () => {
  const { over, peer, events, reasons } = begin(50);
  assert.deepEqual(await peer.take(1), ['memory']);
  await over;
  assert.match(reasons[0]?.message ?? '', /the hand-over was not done within 50 ms/);
  assert.deepEqual(events, ['told', 'resumed']);
  peer.die();
});
