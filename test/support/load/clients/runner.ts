import { setTimeout as wait } from 'node:timers/promises';
import type { LoadClient } from '../client.ts';
import { echo, free, original, run, status, wait as waitFor, wholeLog } from '../questions.ts';
import type { Random } from '../random.ts';
import { shortScript } from '../scripts.ts';
import type { World } from '../world.ts';

const MEAN_REST_MS = 1000;
/** How often the original's clients ask whether a run has ended. */
const CHECK_MS = 50;

/** Starts runs and waits for them, in the original's way or by key. */
export async function runner(world: World, random: Random): Promise<void> {
  await world.keepBusy(random, async (client) => {
    await world.rest(2 * MEAN_REST_MS * random.fraction());
    if (world.isStopping) return;
    world.tally.work.runs++;
    if (random.chance(0.3)) await runByHash(world, random, client);
    else await runByKey(world, random, client);
  });
}

async function runByKey(world: World, random: Random, client: LoadClient): Promise<void> {
  const key = world.key('run');
  const { argv, text, retcode } = shortScript(random, key);
  const begun = client.askEither(run(key, argv));
  await client.dribble();
  if ((await begun) === null) return;
  const ended = client.askEither(waitFor(key, retcode));
  void client.askWithId(status(key));
  void client.askInOrder(echo(world.number()));
  await client.dribble();
  if ((await ended) === null) return;
  world.ended.push({ key, retcode });
  const log = client.askEither(wholeLog(key, text));
  client.send();
  if ((await log) === null || random.chance(0.5)) return;
  const freed = client.askEither(free(key));
  client.send();
  await freed;
}

async function runByHash(world: World, random: Random, client: LoadClient): Promise<void> {
  const hash = world.hash();
  const { argv, retcode } = shortScript(random, String(hash));
  void client.askInOrder(original.run(hash, argv));
  for (;;) {
    const checked = client.askInOrder(original.check(hash, retcode));
    await client.dribble();
    const answer = await checked;
    if (answer === null) return;
    if ('retcode' in answer) break;
    await wait(CHECK_MS);
  }
  world.ended.push({ key: String(hash), retcode });
  void client.askInOrder(original.free(hash));
  const after = client.askInOrder(echo(world.number()));
  await client.dribble();
  await after;
}
