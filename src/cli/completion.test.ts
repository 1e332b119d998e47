import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { candidates, SHELLS, scriptFor } from './completion/index.ts';
import { createProgram } from './program.ts';

const NAMES = { pools: ['web', 'os'], keys: ['key-1', 'other'] };

function offered(...words: string[]): Promise<readonly string[]> {
  return candidates(createProgram(), words, async (names) => NAMES[names]);
}

test('commands, flags, choices, pools and keys are offered where they may stand', async () => {
  assert.deepEqual(await offered('rel'), ['reload']);
  assert.deepEqual(await offered('run', '--po'), ['--pool']);
  assert.deepEqual(await offered('--so'), ['--socket']);
  assert.deepEqual(await offered('run', '--pool', ''), ['web', 'os']);
  assert.deepEqual(await offered('logs', '-f', 'k'), ['key-1']);
  assert.deepEqual(await offered('kill', 'key-1', 'o'), ['other']);
  assert.deepEqual(await offered('ps', '--state', 'e'), ['ended']);
  assert.deepEqual(await offered('completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(await offered('drain', 'web', ''), [], 'one pool is enough');
  assert.deepEqual(await offered('run', '--', '--po'), [], 'behind -- everything is an argument');
  assert.deepEqual(await offered('__'), []);
});

test('names are asked of the daemon that the line names', async () => {
  const asked: unknown[] = [];
  await candidates(createProgram(), ['--socket', 'unix:/x', 'reload', ''], async (names, socket) => {
    asked.push([names, socket]);
    return [];
  });
  assert.deepEqual(asked, [['pools', 'unix:/x']]);
});

test('the scripts are right for their shells, where those are installed', (t) => {
  for (const shell of SHELLS) {
    const { status, stderr, error } = spawnSync(shell, ['-n'], { input: scriptFor(shell), encoding: 'utf8' });
    if (error !== undefined) t.diagnostic(`${shell} is not installed`);
    else assert.equal(status, 0, stderr);
  }
});
