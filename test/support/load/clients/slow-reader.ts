import { piece } from '../questions.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** 130 KB each: enough for the buffers of a TCP connection on loopback, and for `limits.unread` behind them. */
const PIECES = 40;
const LONGEST_STOP_MS = 4000;
const MEAN_REST_MS = 500;

/** A log that is there for all to read. */
export interface Library {
  readonly key: string;
  readonly text: Buffer;
}

/** Asks for much and reads nothing for seconds: answers stand half-written in the daemon. */
export async function slowReader(world: World, random: Random, { key, text }: Library): Promise<void> {
  await world.keepBusy(random, async (client) => {
    await world.rest(2 * MEAN_REST_MS * random.fraction());
    if (world.isStopping) return;
    const reading = client.stopReading(LONGEST_STOP_MS * random.fraction());
    const pieces = Array.from({ length: random.integer(1, PIECES) }, () =>
      client.askEither(piece(key, text, random.integer(0, text.length))),
    );
    await client.dribble();
    await reading;
    await Promise.all(pieces);
  });
}
