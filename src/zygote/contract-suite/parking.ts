import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { childrenOf, isAlive, logOf, ready, runFileOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function parkingTests({ name, start, programs }: Runtime): void {
  describe(`${name}: parked children`, () => {
    const parked = (daemon: Conversation, count: number): Promise<void> =>
      until(`${count} are parked`, async () => {
        const stats = await daemon.ask({ op: 'stats' });
        return stats.event === 'stats' && stats.parked === count;
      });

    test('nothing is parked before the probe has succeeded', async () => {
      await using zygote = start({ config: { prefork: 1 } });
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.hello);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'stats' }), { parked: 0 });
      await daemon.ask({ op: 'probe' });
      await parked(daemon, 1);
    });

    test('a run goes to a parked child, which is replaced', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      await parked(daemon, 2);
      const waiting = childrenOf(zygote.pid);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      assert.ok(waiting.includes(pid));
      await parked(daemon, 2);
      assert.partialDeepStrictEqual(await daemon.ask({ op: 'stats' }), { running: 1 });
    });

    test('more runs than parked children all run', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      await parked(daemon, 2);
      const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
      daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...programs.hello })));
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
      await parked(daemon, 2);
    });

    test('they end with their zygote; a run of theirs does not', async () => {
      await using zygote = start({ config: { prefork: 2 } });
      const daemon = await Conversation.serve(zygote);
      const gate = join(zygote.folder, 'gate');
      await parked(daemon, 2);
      daemon.start('a', programs.gate(gate));
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      await parked(daemon, 2);
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
      await parked(daemon, 1);
      const [victim = 0] = childrenOf(zygote.pid);
      process.kill(victim, 'SIGKILL');
      // Not a zombie any more: reaped, and so known to be dead. A run that is given to it earlier ends unclaimed.
      await until('it is reaped', () => !existsSync(`/proc/${victim}`));
      assert.equal((await daemon.run('a', programs.hello)).code, 0);
    });

    test('one that does not claim in time is killed, and the run given to another', async () => {
      await using zygote = start({ config: { prefork: 1, claim_timeout_ms: 300 } });
      const daemon = await Conversation.serve(zygote);
      await parked(daemon, 1);
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
      await parked(daemon, 4);
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
      await parked(daemon, 2);
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
