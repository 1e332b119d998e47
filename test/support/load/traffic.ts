// A program: all clients of the load but those that measure.
import { raiseDescriptorLimit } from '../../../src/posix/index.ts';
import { asker, MEAN_AT_ONCE } from './clients/asker.ts';
import { follower } from './clients/follower.ts';
import { halfClosed } from './clients/half-closed.ts';
import { newcomers } from './clients/newcomers.ts';
import { runner } from './clients/runner.ts';
import { type Library, slowReader } from './clients/slow-reader.ts';
import { Subscriber } from './clients/subscriber.ts';
import { helperOptions, obey } from './ipc.ts';
import type { TrafficOptions } from './options.ts';
import { run, wait } from './questions.ts';
import { Random } from './random.ts';
import { library } from './scripts.ts';
import { Tally } from './tally.ts';
import { World } from './world.ts';

/** Besides the connections that are held. */
const SPARE_DESCRIPTORS = 1000;
/** Clients that begin at the same time: a listening socket takes so many surely. */
const BEGIN_AT_ONCE = 100;
const BEGIN_PAUSE_MS = 20;
const LEAST_REST_MS = 20;

const options = helperOptions<TrafficOptions>();
const tally = new Tally();
const world = new World(options, tally);
const random = new Random(options.seed);
const subscribers: Subscriber[] = [];
const clients: Promise<void>[] = [];

/** So many per cent of all connections, within bounds. */
function share(percent: number, most: number): number {
  return Math.min(most, Math.max(1, Math.round((options.connections * percent) / 100)));
}

/** The busier kinds are few however many connections there are: they would outshout the others. */
const counts = {
  subscribers: share(1, 3),
  followers: share(4, 8),
  slowReaders: share(3, 4),
  runners: share(6, 12),
  halfClosed: share(3, 6),
};
const askers = Math.max(1, options.connections - Object.values(counts).reduce((sum, count) => sum + count));
const meanRestMs = Math.max(LEAST_REST_MS, (1000 * askers * MEAN_AT_ONCE) / options.requestsPerSecond);

async function begin(count: number, client: (random: Random) => Promise<void>): Promise<void> {
  for (let begun = 0; begun < count; begun++) {
    clients.push(client(random.branch()));
    if (begun % BEGIN_AT_ONCE === BEGIN_AT_ONCE - 1)
      await new Promise((resolve) => setTimeout(resolve, BEGIN_PAUSE_MS));
  }
}

async function shelve(): Promise<Library> {
  const client = await world.open(random.branch());
  if (client === null) throw new Error('the daemon refuses connections');
  const key = world.key('library');
  const { argv, text, retcode } = library();
  void client.askInOrder(run(key, argv));
  const ended = client.askInOrder(wait(key, retcode));
  client.send();
  await ended;
  client.end();
  await client.closed;
  return { key, text: Buffer.from(text) };
}

async function start(): Promise<void> {
  raiseDescriptorLimit(options.connections + SPARE_DESCRIPTORS);
  for (let i = 0; i < counts.subscribers; i++)
    subscribers.push(await Subscriber.open(world, random.branch()));
  const books = await shelve();
  await begin(counts.followers, (own) => follower(world, own));
  await begin(counts.slowReaders, (own) => slowReader(world, own, books));
  await begin(counts.runners, (own) => runner(world, own));
  await begin(counts.halfClosed, (own) => halfClosed(world, own));
  await begin(askers, (own) => asker(world, own, meanRestMs));
  await begin(1, (own) => newcomers(world, own));
}

async function stop(): Promise<Pick<Tally, 'losses' | 'work' | 'complaints'>> {
  const impatience = setTimeout(() => world.giveUp(), options.patienceMs);
  world.stop();
  await Promise.all(clients);
  await Promise.all(subscribers.map((subscriber) => subscriber.finish()));
  clearTimeout(impatience);
  return tally;
}

obey({ start, stop });
