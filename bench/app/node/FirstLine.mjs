import { appendFileSync } from 'node:fs';

/** Stamps when its first line ran: CLOCK_MONOTONIC in nanoseconds. */
export default class FirstLine {
  run([{ stamps }]) {
    const now = process.hrtime.bigint();
    appendFileSync(stamps, `${now}\n`);
  }
}
