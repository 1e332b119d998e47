// What SIGKILL in the middle of a stream of writes leaves behind. (That the disk has it too is SQLite's synchronous=FULL.)
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { emptyFolder, keyOf } from './fixtures/testing.ts';
import { Journal } from './index.ts';

const STREAM = new URL('./fixtures/stream.ts', import.meta.url).pathname;
const ROUNDS = 20;

/** Lets it write until it has acknowledged so many, kills it, and returns all that it acknowledged. */
async function writeUntilKilled(dir: string, round: number, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [STREAM, dir, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === lines) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  return said;
}

const ORDER = ['accepted', 'ended', 'freed'];

/** The last thing that was said of each key. */
function lastWords(said: readonly string[]): Map<string, string> {
  const last = new Map<string, string>();
  for (const line of said) {
    const [word = '', name = ''] = line.split(' ');
    if (ORDER.indexOf(word) > ORDER.indexOf(last.get(name) ?? '')) last.set(name, word);
  }
  return last;
}

test(`after each of ${ROUNDS} times kill -9 everything that was acknowledged is there`, async (t) => {
  const dir = emptyFolder(t);
  const all = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round++) {
    const said = await writeUntilKilled(dir, round, 1 + round * 37);
    for (const [name, word] of lastWords(said)) all.set(name, word);
    await using journal = await Journal.open({ dir, log: () => {} });
    for (const [name, word] of all) {
      const run = journal.get(keyOf(name));
      if (word === 'freed') assert.equal(run, undefined, `${name} was freed`);
      // The next step may have been committed and its acknowledgement cut off.
      else if (word === 'ended')
        assert.ok(run === undefined || run.phase.state === 'ended', `${name} had ended`);
      else assert.ok(run !== undefined || Number(name.split('-')[2]) % 3 === 2, `${name} was accepted`);
      if (run?.phase.state === 'ended') assert.equal(run.phase.outcome.result, name);
      else if (run !== undefined) assert.equal(run.identity.spec.stdin, name);
    }
  }
  t.diagnostic(`${all.size} runs acknowledged`);
});
