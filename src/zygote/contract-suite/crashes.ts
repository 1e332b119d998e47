import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { logOf, runFileOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

const killedAt = (step: string, folder: string): { [name: string]: string } => ({
  ROCKSY_TEST_KILL: step,
  ROCKSY_TEST_KILL_ONCE: join(folder, 'killed'),
});

/** Of runtimes that write the end of a run themselves: a command's own is known to whoever reaps it. */
export function crashesTests({ name, start, programs }: Runtime): void {
  describe(`${name}: crashes`, () => {
    for (const step of ['child:before-claim', 'child:claimed-before-report']) {
      test(`a child killed at ${step} has run nothing`, async () => {
        await using elsewhere = start(); // for its folder
        await using zygote = start({ env: killedAt(step, elsewhere.folder) });
        const daemon = await Conversation.begin(zygote);
        const ended = await daemon.run('a', programs.hello);
        assert.partialDeepStrictEqual(ended, { code: null, signal: 9, claimed: false });
        assert.match(ended.message ?? '', /signal 9/);
        assert.equal(logOf(zygote, 'a'), '');
        assert.equal((await daemon.run('b', programs.hello)).code, 0);
      });
    }

    for (const step of ['zygote:forked', 'zygote:ended-before-tell']) {
      test(`a zygote killed at ${step} leaves a run that is on record`, async () => {
        await using elsewhere = start();
        await using zygote = start({ env: killedAt(step, elsewhere.folder) });
        const daemon = await Conversation.begin(zygote);
        daemon.start('a', programs.hello);
        assert.equal((await zygote.exit).signal, 'SIGKILL');
        const file = join(zygote.runs, 'a.run');
        await until(
          'its end is on record',
          () => existsSync(file) && runFileOf(zygote, 'a').at(-1) === 'exit 0',
        );
        assert.equal(logOf(zygote, 'a'), 'hello\n');
      });
    }
  });
}
