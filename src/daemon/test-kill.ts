import fs from 'node:fs';

const wanted = process.env.ROCKSY_TEST_KILL;
const once = process.env.ROCKSY_TEST_KILL_ONCE;

/**
 * For the fault tests: ends this process by SIGKILL when it comes to the step that ROCKSY_TEST_KILL names, once, which
 * the exclusive creation of the file ROCKSY_TEST_KILL_ONCE sees to.
 */
export function step(name: string, who: 'worker' | 'predecessor' | 'successor' = 'worker'): void {
  if (wanted !== `${who}:${name}` || once === undefined) return;
  try {
    fs.closeSync(fs.openSync(once, 'wx'));
  } catch {
    // It has happened already.
    return;
  }
  process.kill(process.pid, 'SIGKILL');
}
