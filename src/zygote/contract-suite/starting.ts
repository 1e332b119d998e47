import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { ZygoteConfig } from '../contract.ts';
import { Conversation } from './conversation.ts';
import { logOf, statOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function startingTests({ name, start, programs }: Runtime): void {
  describe(`${name}: how it is started`, () => {
    test('a version of the contract that it does not know ends it, with a message', async () => {
      const config = { version: 2 } as unknown as Partial<ZygoteConfig>;
      await using zygote = start({ config });
      assert.notEqual((await zygote.exit).code, 0);
      assert.match(readFileSync(zygote.bootLog, 'utf8'), /version/);
    });

    test('its configuration is not in the environment of a run', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.variable('ROCKSY_ZYGOTE'));
      assert.equal(logOf(zygote, 'a').trim(), '');
    });

    test('SIGINT, SIGHUP and SIGPIPE are ignored', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const signal of ['SIGINT', 'SIGHUP', 'SIGPIPE'] as const) process.kill(zygote.pid, signal);
      assert.equal((await daemon.run('a', programs.hello)).code, 0);
    });

    test('it is the subreaper of what its runs leave', async () => {
      await using zygote = start({ config: { leave_children: true } });
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.leave);
      const left = logOf(zygote, 'a').trim().split('\n').map(Number);
      assert.equal(left.length, 2);
      for (const pid of left) assert.equal(Number(statOf(pid)[1]), zygote.pid);
    });
  });
}
