import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { LoadClient } from '../client.ts';
import type { Answer, Question } from '../ledger.ts';
import { flawOfRun, run } from '../questions.ts';
import type { Random } from '../random.ts';
import { growingScript } from '../scripts.ts';
import type { World } from '../world.ts';

const MEAN_REST_MS = 500;
const LONGEST_STOP_MS = 3000;

/** Follows logs while they grow; what is streamed must be the log file, byte by byte. */
export async function follower(world: World, random: Random): Promise<void> {
  await world.keepBusy(random, async (client) => {
    await world.rest(2 * MEAN_REST_MS * random.fraction());
    if (world.isStopping) return;
    await followOne(world, random, client);
  });
}

async function followOne(world: World, random: Random, client: LoadClient): Promise<void> {
  const key = world.key('log');
  const { argv, text, retcode } = growingScript(random, key);
  world.tally.work.runs++;
  const begun = client.askWithId(run(key, argv));
  client.send();
  if ((await begun) === null) return;

  const stream = new Stream(world, key, random.pick([0, 0, key.length]));
  const end = client.askWithId(stream.question(Buffer.byteLength(text), retcode), (event) =>
    stream.take(event),
  );
  await client.dribble();
  if (random.chance(0.3)) await client.stopReading(LONGEST_STOP_MS * random.fraction());
  if ((await end) === null) return;
  world.ended.push({ key, retcode });
  await stream.compare(Buffer.from(text));
}

/** The pieces of a log as they come. */
class Stream {
  readonly #world: World;
  readonly #key: string;
  readonly #from: number;
  #next: number;
  readonly #pieces: Buffer[] = [];

  constructor(world: World, key: string, from: number) {
    this.#world = world;
    this.#key = key;
    this.#from = from;
    this.#next = from;
  }

  question(bytes: number, retcode: number): Question {
    return {
      name: 'logs',
      fields: { key: this.#key, offset: this.#from, follow: true },
      flaw: (answer) => {
        if (answer.end !== true || answer.next_offset !== bytes) return `expected the end at ${bytes}`;
        return flawOfRun(answer, { key: this.#key, state: 'ended', retcode });
      },
    };
  }

  take(event: Answer): void {
    const { offset, data, data_base64, next_offset } = event;
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(String(data_base64), 'base64');
    if (typeof offset !== 'number' || next_offset !== offset + bytes.length)
      this.#count('wrong', `a piece of ${bytes.length} bytes from ${offset} to ${next_offset}`);
    else if (offset !== this.#next)
      this.#count(
        offset < this.#next ? 'doubled' : 'lost',
        `a piece at ${offset} after one up to ${this.#next}`,
      );
    this.#next = Number(next_offset);
    this.#pieces.push(bytes);
  }

  /** With what the run has printed, and with its log file. */
  async compare(printed: Buffer): Promise<void> {
    const streamed = Buffer.concat(this.#pieces);
    this.#world.tally.work.streams++;
    this.#world.tally.work.streamedBytes += streamed.length;
    const file = path.join(this.#world.options.state, 'pools/os/runs', `${this.#key}.log`);
    const log = await readFile(file).catch((error: Error) => Buffer.from(error.message));
    if (!log.equals(printed)) this.#count('wrong', `the log of ${log.length} bytes is not what was printed`);
    if (!log.subarray(this.#from).equals(streamed))
      this.#count('wrong', `${streamed.length} bytes came from ${this.#from} on of a log of ${log.length}`);
  }

  #count(kind: 'lost' | 'doubled' | 'wrong', what: string): void {
    this.#world.tally.count(kind, `stream of ${this.#key}: ${what}`);
  }
}
