import { echo, run, wait } from '../questions.ts';
import type { Random } from '../random.ts';
import { nap } from '../scripts.ts';
import type { World } from '../world.ts';

const LONGEST_NAP_MS = 3000;
const AGAIN_MS = 20;

/** Ends its side while a run is still going, and wants to hear of its end all the same. */
export async function halfClosed(world: World, random: Random): Promise<void> {
  while (!world.isStopping) {
    const client = await world.open(random);
    if (client === null) {
      await world.rest(AGAIN_MS);
      continue;
    }
    const key = world.key('half-closed');
    const { argv, retcode } = nap(random.integer(500, LONGEST_NAP_MS));
    world.tally.work.runs++;
    const begun = client.askWithId(run(key, argv));
    client.send();
    if ((await begun) === null) continue;
    const ended = client.askWithId(wait(key, retcode));
    void client.askEither(echo(world.number()));
    void client.askEither(echo(world.number()));
    await client.dribble();
    client.end();
    if ((await ended) !== null) world.ended.push({ key, retcode });
    await client.closed;
  }
}
