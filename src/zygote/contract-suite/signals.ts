import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { isAlive, ready } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function signalsTests({ name, start, programs }: Runtime): void {
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
}
