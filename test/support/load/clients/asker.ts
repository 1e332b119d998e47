import type { LoadClient } from '../client.ts';
import type { Answer } from '../ledger.ts';
import { echo, hello, list, statusOfNone } from '../questions.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';

const MOST_AT_ONCE = 7;
/** Requests at once, on average. */
export const MEAN_AT_ONCE = (1 + MOST_AT_ONCE) / 2;

/** Asks small things, several at once, in pieces; rests in between. */
export async function asker(world: World, random: Random, meanRestMs: number): Promise<void> {
  await world.keepBusy(random, async (client) => {
    await world.rest(2 * meanRestMs * random.fraction());
    if (world.isStopping) return;
    const answers = askSome(world, random, client);
    await client.dribble();
    await Promise.all(answers);
  });
}

/** Puts down one to seven small requests of either kind. */
export function askSome(world: World, random: Random, client: LoadClient): Promise<Answer | null>[] {
  return Array.from({ length: random.integer(1, MOST_AT_ONCE) }, () => {
    const question = random.pick([
      () => echo(world.number()),
      () => echo(world.number()),
      () => statusOfNone(world.number()),
      () => statusOfNone(world.number()),
      () => hello(),
      () => list(random.integer(1, 5)),
    ]);
    return client.askEither(question());
  });
}
