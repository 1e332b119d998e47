import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Conversation,
  classPrograms,
  contractSuite,
  isAlive,
  job,
  runFileOf,
  until,
} from '../contract-suite/index.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

contractSuite({
  name: 'node',
  start: startZygote,
  programs: classPrograms,
  features: { parks: true, tellsItsEnd: true },
});

/** Memory of a process that is no file's. */
function anonymousMib(pid: number): number {
  const [, kib] = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

const HELLO = classPrograms.hello;

describe('node: what goes wrong', () => {
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

  test('a hook after the fork that fails is told with the probe', async () => {
    await using zygote = startZygote({ config: { bootstrap: join(FIXTURES, 'hook-fails.ts') } });
    const daemon = await Conversation.open(zygote);
    await daemon.hello(1);
    const probed = await daemon.ask({ op: 'probe' });
    assert.ok(probed.event === 'probed' && !probed.ok);
    assert.match(
      probed.message ?? '',
      /^the probe ended with code 255\nUncaught Error: no database\n +at .*hook-fails\.ts:3/,
    );
  });

  test('where the probe child is not as whole as a started process, the probe says so', async () => {
    await using zygote = startZygote({ config: { bootstrap: join(FIXTURES, 'not-whole.ts') } });
    const daemon = await Conversation.begin(zygote);
    const probed = await daemon.ask({ op: 'probe' });
    assert.ok(probed.event === 'probed' && !probed.ok);
    assert.match(
      probed.message ?? '',
      /a fork of this Node \(v24[\d.]+\) is not whole: structuredClone.*: no clones today\. Say `fork: false`/,
    );
  });

  test('garbage that piles up in the zygote is collected', async () => {
    const much = join(mkdtempSync(join(tmpdir(), 'rocksy-much-')), 'much');
    const config = { bootstrap: join(FIXTURES, 'piles-up.ts') };
    await using zygote = startZygote({ config, env: { MUCH: much } });
    const daemon = await Conversation.serve(zygote);
    const withoutMib = anonymousMib(zygote.pid);
    writeFileSync(much, '');
    await until('much is made', () => existsSync(`${much}.made`));
    assert.ok(anonymousMib(zygote.pid) > withoutMib + 20);
    rmSync(much);
    await until('it is dropped', () => existsSync(`${much}.dropped`));
    for (let round = 0; round < 510; round++) {
      await daemon.run(`r${round}`, job('Nothing'));
      daemon.send({ op: 'ack', key: `r${round}` });
    }
    assert.ok(anonymousMib(zygote.pid) < withoutMib + 20);
  });

  test('what a parked child has not taken is run by another', async () => {
    await using zygote = startZygote({ config: { prefork: 1 } });
    const daemon = await Conversation.serve(zygote);
    const large = 'x'.repeat(1 << 20); // more than a socket holds: forked on request
    assert.equal((await daemon.run('large', HELLO, { stdin: large })).code, 0);
    assert.equal((await daemon.run('small', HELLO)).code, 0);
  });
});
