// A process of a pool that does not fork (`fork: false`), as a program: loads the user's code, then is one run.
//   child.ts wait|run ZYGOTE      started by starter.ts
import { closeSync, readFileSync, writeSync } from 'node:fs';
import {
  exitNow,
  getppid,
  NO_SIGNALS,
  setCloseOnExec,
  setParentDeathSignal,
  setSignalMask,
} from '../../../posix/index.ts';
import { takeConfig } from '../../serving/index.ts';
import { Child } from '../child.ts';
import { loadWholly } from '../user-code.ts';
import { type Purpose, REPORT_FD, RUN_FD } from './starter.ts';

const SIGKILL = 9;

async function main(purpose: Purpose, zygote: number): Promise<void> {
  if (purpose === 'wait') {
    setParentDeathSignal(SIGKILL);
    if (getppid() !== zygote) exitNow(0); // it died before prctl(2) could tell
  }
  for (const fd of [REPORT_FD, RUN_FD]) setCloseOnExec(fd, 'close');
  const config = takeConfig(process.env);
  process.title = `rocksy ${config.pool}/${config.generation} ${purpose === 'run' ? 'starting' : 'waiting'}`;
  const userCode = await loadWholly(config);
  const child = new Child(config, userCode, REPORT_FD, {
    zygote,
    leave: () => void setSignalMask(NO_SIGNALS), // --disable-sigusr1 has blocked that one
    handSignalsOver: () => {},
    check: async () => {},
  });
  if (purpose === 'run') {
    const start = JSON.parse(readFileSync(RUN_FD, 'utf8'));
    closeSync(RUN_FD);
    child.run(start);
  } else {
    writeSync(REPORT_FD, `loaded ${process.pid} ${process.pid} \n`);
    child.park(RUN_FD);
  }
}

const [purpose, zygote] = process.argv.splice(2);
main(purpose === 'run' ? 'run' : 'wait', Number(zygote)).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
