import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { FORK_FLAGS } from './flags.ts';

const LOOP = `
function loop() {
  let value = 1;
  for (let step = 0; step < 20_000_000; step++) value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
  return value;
}
loop();
`;

test('a loop that a job is in for long is replaced by the best code', () => {
  const trace = execFileSync(process.execPath, [...FORK_FLAGS, '--trace-opt', '-e', LOOP], {
    encoding: 'utf8',
  });
  assert.match(trace, /completed compiling .*<JSFunction loop .*TURBOFAN_JS\) OSR/);
});
