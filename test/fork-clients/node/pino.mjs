import { once } from 'node:events';
import fs from 'node:fs';
import { pino } from 'pino';

const scratch = process.env.SCRATCH;
const fileOf = () => `${scratch}/pino-${process.pid}.log`;
let destination;
let log;

async function open() {
  // Buffered. Before it is ready, pino's own exit handler can't write what waits.
  destination = pino.destination({ dest: fileOf(), sync: false, minLength: 4096 });
  log = pino(destination);
  await once(destination, 'ready');
}

if (process.env.TRY === 'lazy') log = pino(); // to standard output: the log of the run
if (process.env.TRY === 'hooks') await open();
if (process.env.TRY === 'wrong') {
  // A transport is a thread.
  log = pino({ transport: { target: 'pino/file', options: { destination: `${scratch}/pino.log` } } });
}
log.info('loaded');

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks
  ? () => {
      destination.flushSync();
      destination.end();
    }
  : undefined;
export const afterFork = hooks ? open : undefined;

class Try {
  run({ n }) {
    log.info({ n }, 'a run');
    // After pino's handler, which writes what is in its buffer.
    process.on('exit', () => {
      if (hooks && !fs.readFileSync(fileOf(), 'utf8').includes(`"n":${n}`))
        throw new Error('the line is lost');
    });
    return { n };
  }
}
export const jobs = { Try };
