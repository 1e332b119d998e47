import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Says who it is and stays for a while, to be looked at. */
export default class Hold {
  async run([{ stamps }]) {
    appendFileSync(stamps, `${process.pid}\n`);
    await delay(500);
  }
}
