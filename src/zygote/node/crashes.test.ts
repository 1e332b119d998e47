// A Node zygote or its child dies at the worst moment: nothing runs twice, and what has run is on record.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { StartSpec } from '../contract.ts';
import { Conversation, isAlive, logOf, runFileOf, until } from '../contract-suite/index.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

const HELLO: StartSpec = { class: 'Hello', params: {} };

const killedAt = (step: string, folder: string): { [name: string]: string } => ({
  ROCKSY_TEST_KILL: step,
  ROCKSY_TEST_KILL_ONCE: join(folder, 'killed'),
});

describe('node: crashes', () => {
  for (const step of ['child:before-claim', 'child:claimed-before-report']) {
    test(`a child killed at ${step} has run nothing`, async () => {
      await using elsewhere = startZygote(); // for its folder
      await using zygote = startZygote({ env: killedAt(step, elsewhere.folder) });
      const daemon = await Conversation.begin(zygote);
      const ended = await daemon.run('a', HELLO);
      assert.partialDeepStrictEqual(ended, { code: null, signal: 9, claimed: false });
      assert.match(ended.message ?? '', /signal 9/);
      assert.equal(logOf(zygote, 'a'), '');
      assert.equal((await daemon.run('b', HELLO)).code, 0);
    });
  }

  for (const step of ['zygote:forked', 'zygote:ended-before-tell']) {
    test(`a zygote killed at ${step} leaves a run that is on record`, async () => {
      await using elsewhere = startZygote();
      await using zygote = startZygote({ env: killedAt(step, elsewhere.folder) });
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', HELLO);
      assert.equal((await zygote.exit).signal, 'SIGKILL');
      const file = join(zygote.runs, 'a.run');
      await until(
        'its end is on record',
        () => existsSync(file) && runFileOf(zygote, 'a').at(-1) === 'exit 0',
      );
      assert.equal(logOf(zygote, 'a'), 'hello\n');
    });
  }

  test('a run whose log cannot be opened fails and says so', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.begin(zygote);
    mkdirSync(join(zygote.runs, 'a.log'));
    assert.partialDeepStrictEqual(await daemon.run('a', HELLO), { code: 255, claimed: true });
    assert.match(runFileOf(zygote, 'a')[1] ?? '', /^error EISDIR: .*a\.log/);
    assert.equal(runFileOf(zygote, 'a').at(-1), 'exit 255');
  });

  test('a helper process of the bootstrap is neither killed nor taken from it', async () => {
    await using zygote = startZygote({ config: { bootstrap: join(FIXTURES, 'helper.ts'), prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    const helper = Number(/helper (\d+)/.exec(readFileSync(zygote.bootLog, 'utf8'))?.[1]);
    for (let round = 0; round < 5; round++) assert.equal((await daemon.run(`r${round}`, HELLO)).code, 0);
    assert.equal(isAlive(helper), true);
    process.kill(helper, 'SIGTERM');
    await until('the bootstrap has heard of its end', () =>
      readFileSync(zygote.bootLog, 'utf8').includes('helper ended of SIGTERM'),
    );
    assert.equal((await daemon.run('after', HELLO)).code, 0);
  });

  test('what a parked child has not taken is run by another', async () => {
    await using zygote = startZygote({ config: { prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    const large = 'x'.repeat(1 << 20); // more than a socket holds: forked on request
    assert.equal((await daemon.run('large', HELLO, { stdin: large })).code, 0);
    assert.equal((await daemon.run('small', HELLO)).code, 0);
  });
});
