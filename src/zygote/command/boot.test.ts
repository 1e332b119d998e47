import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { takeConfig } from '../serving/index.ts';
import { PROGRAM, ZygoteUnderTest } from './zygote-under-test.ts';

test('a version that the zygote does not know ends it with a message', async () => {
  await using zygote = new ZygoteUnderTest({ env: { ROCKSY_ZYGOTE: '{"version":2}' } });
  assert.deepEqual(await zygote.exit, { code: 1, signal: null });
  assert.match(readFileSync(zygote.bootLog, 'utf8'), /speaks version 2/);
});

test('without its configuration it says who starts it', () => {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /ROCKSY_ZYGOTE is not set/);
});

test('the configuration leaves the environment with its reading', () => {
  const env: NodeJS.ProcessEnv = { ROCKSY_ZYGOTE: '{"version":1,"pool":"p"}', A: 'b' };
  assert.equal(takeConfig(env).pool, 'p');
  assert.deepEqual(env, { A: 'b' });
});
