import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { childrenOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function probesTests({ name, start, programs, features }: Runtime): void {
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
}
