import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { askSome } from './asker.ts';

const MOST_AT_ONCE = 8;
const MEAN_AT_ONCE = (1 + MOST_AT_ONCE) / 2;

/** Clients that come in throngs, ask at once, and go: what they send may be there before they are accepted. */
export async function newcomers(world: World, random: Random): Promise<void> {
  const meanRestMs = (1000 * MEAN_AT_ONCE) / world.options.newcomersPerSecond;
  const present = new Set<Promise<void>>();
  while (!world.isStopping) {
    for (let count = random.integer(1, MOST_AT_ONCE); count > 0; count--) {
      const visit = visitor(world, random.branch());
      present.add(visit);
      void visit.then(() => present.delete(visit));
    }
    await world.rest(2 * meanRestMs * random.fraction());
  }
  await Promise.all(present);
}

/** Most end their side as soon as they have asked. */
async function visitor(world: World, random: Random): Promise<void> {
  const client = await world.open(random);
  if (client === null) return;
  const answers = askSome(world, random, client);
  if (random.chance(0.2)) client.beginLine(`greet {"n":${world.number()}`);
  if (random.chance(0.5)) client.send();
  else await client.dribble();
  if (random.chance(0.3)) await Promise.all(answers);
  client.end();
  await client.closed;
}
