// A daemon in which something happens at a named step of a takeover: what src/daemon/test-kill.ts does for a daemon's whole
// life, decided anew for each takeover.
import fs from 'node:fs';
import path from 'node:path';
import type { TestDaemon } from './daemon.ts';
import { Releases } from './releases.ts';

/** `predecessor:frozen`: who comes to a step. */
export type Step = `${'predecessor' | 'successor'}:${string}`;

/** For DaemonOptions, with `program` of the releases. */
export const STEPS_ENV = { ROCKSY_TEST_KILL_ONCE: '{folder}/scratch/step-' };

export const KILL_ITSELF = "process.kill(process.pid, 'SIGKILL')";
export const KILL_KEEPER = "process.kill(process.ppid, 'SIGKILL')";

/** A release that does `atStep`. */
export function releasesWithSteps(): Releases {
  const releases = new Releases();
  const begin = "= 'worker'): void {\n";
  const act = [
    "  const file = once + who + ':' + name;",
    '  if (fs.existsSync(file)) {',
    "    const code = fs.readFileSync(file, 'utf8');",
    "    fs.renameSync(file, file + '.done');",
    "    new Function('fs', code)(fs);",
    '  }\n',
  ].join('\n');
  releases.change({ file: 'src/daemon/test-kill.ts', from: begin, to: begin + act });
  return releases;
}

/** Whoever comes to this step next executes the code, once; `fs` is Node's. */
export function atStep({ scratch }: TestDaemon, step: Step, code: string): void {
  fs.rmSync(fileOf(scratch, `${step}.done`), { force: true });
  fs.writeFileSync(fileOf(scratch, `${step}.new`), code);
  fs.renameSync(fileOf(scratch, `${step}.new`), fileOf(scratch, step));
}

/** Whether somebody has. */
export function hasCome({ scratch }: TestDaemon, step: Step): boolean {
  return fs.existsSync(fileOf(scratch, `${step}.done`));
}

function fileOf(scratch: string, name: string): string {
  return path.join(scratch, `step-${name}`);
}
