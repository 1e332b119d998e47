import { startTime } from '../../posix/index.ts';
import { contextOf } from './context.ts';
import { openStandardInput, repairPid, reseed } from './repairs/index.ts';
import { RunFile } from './run-file.ts';
import { jobOf, type UserCode } from './user-code.ts';

/** V8 gives a function room for what it learns from its calls after some of them. */
const TIMES = 30;

class Nothing {
  run(): null {
    return null;
  }
}

const NOTHING: UserCode = {
  jobs: new Map([['Nothing', Nothing]]),
  places: '',
  beforeFork: () => undefined,
  afterFork: () => undefined,
};

/**
 * In the zygote, before the first fork: goes through most of what only its children will do, so that V8 and the C library
 * have learned the way, rather than each child anew. Nothing of it stays but standard input at /dev/null, as it has been.
 */
export function rehearse(): void {
  for (let time = 0; time < TIMES; time++) {
    repairPid();
    reseed();
    const identity = `${process.pid} ${startTime(process.pid)} `;
    openStandardInput(null);
    const runFile = RunFile.rehearse(identity);
    jobOf(NOTHING, 'Nothing').run([], contextOf('', 'Nothing', runFile));
  }
}
