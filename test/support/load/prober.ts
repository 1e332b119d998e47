// A program: clients that ask something cheap again and again, and measure how long the answers take.
import { setTimeout as wait } from 'node:timers/promises';
import { raiseDescriptorLimit } from '../../../src/posix/index.ts';
import { DIALECTS } from './dialects.ts';
import { helperOptions, obey } from './ipc.ts';
import { ProbeClient } from './probe-client.ts';
import type { ProbeOptions, Window } from './probes.ts';
import { Random } from './random.ts';
import { WindowCounts } from './window.ts';

const TICK_MS = 1;
/** What has not been answered so long after the last request is lost. */
const PATIENCE_MS = 5000;
const LOOK_MS = 10;
const SPARE_DESCRIPTORS = 1000;

const options = helperOptions<ProbeOptions>();
const counts = new WindowCounts();
/** In an order that has nothing to do with that of their connections. */
const clients = new Random(options.connections).shuffled(
  Array.from(
    { length: options.connections },
    (_, number) => new ProbeClient(options.address, number, DIALECTS[options.dialect], counts),
  ),
);
let next = 0;
let asked = 0;
let begun = 0;
let ticking: NodeJS.Timeout;

/** Asks as many as it is time for, one client after the other; who still waits for an answer is passed over. */
function tick(): void {
  const due = Math.floor(((performance.now() - begun) * options.requestsPerSecond) / 1000) - asked;
  asked += due;
  for (let i = 0; i < Math.min(due, clients.length); i++) {
    clients[next]?.ask();
    next = (next + 1) % clients.length;
  }
}

/** Resolves when every client has had an answer. */
async function start(): Promise<void> {
  raiseDescriptorLimit(options.connections + SPARE_DESCRIPTORS);
  await Promise.all(clients.map((client) => client.start()));
  begun = performance.now();
  ticking = setInterval(tick, TICK_MS);
  closeWindow();
}

/** What happened since the last time. */
function closeWindow(): Window {
  return counts.close(clients.map((client) => client.waitingMs()));
}

function unserved(): number {
  return clients.filter((client) => !client.isServed).length;
}

/** Asks no more, and waits for what is due. */
async function stop(): Promise<Window> {
  clearInterval(ticking);
  const deadline = performance.now() + PATIENCE_MS;
  const waiting = (): number => clients.filter((client) => client.waitingMs() > 0).length;
  while (waiting() > 0 && performance.now() < deadline) await wait(LOOK_MS);
  for (let lost = waiting(); lost > 0; lost--) counts.count('lost');
  return closeWindow();
}

obey({ start, unserved, stop, window: closeWindow });
