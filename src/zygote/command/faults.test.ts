import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ZygoteUnderTest } from './zygote-under-test.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-kill-'));
after(() => rmSync(folder, { recursive: true }));

function killedAt(step: string): ZygoteUnderTest {
  const marker = join(folder, step.replace(':', '-'));
  return new ZygoteUnderTest({ env: { ROCKSY_TEST_KILL: step, ROCKSY_TEST_KILL_ONCE: marker } });
}

test('a child that dies before its claim has run nothing and claimed nothing', async () => {
  await using zygote = killedAt('child:before-claim');
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'exit 0');
  assert.deepEqual([ended.signal, ended.claimed, zygote.has('a.run')], [9, false, false]);
  assert.equal((await daemon.shell('b', 'exit 0')).code, 0);
});

test('a child that dies between claim and report has run nothing, and nobody will run its key', async () => {
  await using zygote = killedAt('child:claimed-before-report');
  const daemon = await zygote.session();
  const ended = await daemon.shell('a', 'exit 0');
  assert.deepEqual([ended.signal, ended.claimed], [9, false]);
  assert.match(zygote.runFile('a'), /^claim 1 \d+ \d+ [0-9a-f-]+ \d+\n$/);
  daemon.send({ op: 'ack', key: 'a' });
  daemon.events.splice(0);
  const again = await daemon.shell('a', 'exit 0');
  assert.ok(!again.claimed && /claimed before/.test(again.message ?? ''));
});

test('a zygote that dies right after a fork leaves a run that claims and carries on', async () => {
  await using zygote = killedAt('zygote:forked');
  const daemon = await zygote.session();
  daemon.start('a', ['sh', '-c', 'echo > ran']);
  assert.deepEqual(await zygote.exit, { code: null, signal: 'SIGKILL' });
  await zygote.appears('ran');
  assert.match(zygote.runFile('a'), /^claim 1 /);
});

test('the exit code outlives a zygote that dies before it could tell it', async () => {
  await using zygote = killedAt('zygote:ended-before-tell');
  const daemon = await zygote.session();
  daemon.start('a', ['sh', '-c', 'exit 6']);
  assert.deepEqual(await zygote.exit, { code: null, signal: 'SIGKILL' });
  assert.match(zygote.runFile('a'), /^claim .*\nexit 6\n$/);
});

test('a short claim timeout never runs anything twice, nor anything that is said not to have run', async () => {
  await using zygote = new ZygoteUnderTest({ config: { claim_timeout_ms: 6 } });
  const daemon = await zygote.session();
  const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
  for (const key of keys) {
    const ended = await daemon.shell(key, 'echo ran');
    const ran = zygote.has(`${key}.log`) ? zygote.log(key) : '';
    if (ended.claimed) assert.ok(ran === 'ran\n' || ended.signal === 9, JSON.stringify(ended));
    else assert.equal(ran, '', JSON.stringify(ended));
  }
});
