import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { isAlive, logOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function sessionsTests({ name, start, programs }: Runtime): void {
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
      // Told at hello, or, where `claimed` was told then, right after it.
      const ended = await second.about('a', 'ended');
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
}
