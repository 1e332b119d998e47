import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { isAlive, logOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function endsTests({ name, start, programs }: Runtime): void {
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
}
