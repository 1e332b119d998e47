import { setTimeout as wait } from 'node:timers/promises';
import { Probes, type Window } from '../../test/support/load/probes.ts';
import { type Replaceable, Unusable } from './replaceable.ts';

/** Requests of all clients together. */
export const REQUESTS_PER_SECOND = 1000;
/** What was held up is answered by then. */
const SETTLE_MS = 300;
const LOOK_MS = 20;

export interface Round {
  /** From the request to replace the server until the old one was gone. */
  readonly tookMs: number;
  /** While it was replaced, until every client was connected and served again. */
  readonly during: Window;
  /** As long afterwards: what the machine does to the same clients without anybody's help. */
  readonly outside: Window;
  /** What the server told about it. */
  readonly told: Readonly<Record<string, number>>;
}

/** Replaces a server so many times, with so many clients that stay connected and ask now and then. */
export async function rounds(server: Replaceable, connections: number, count: number): Promise<Round[]> {
  const { address, dialect } = server;
  await using probes = await Probes.start({
    address,
    dialect,
    connections,
    requestsPerSecond: REQUESTS_PER_SECOND,
  });
  await wait(SETTLE_MS);
  const found: Round[] = [];
  for (let round = 0; round < count; round++) {
    await probes.window();
    const begun = performance.now();
    const told = await server.replace();
    const tookMs = performance.now() - begun;
    while ((await probes.unserved()) > 0) await wait(LOOK_MS);
    await wait(SETTLE_MS);
    const duringMs = performance.now() - begun;
    const during = await probes.window();
    await wait(duringMs);
    found.push({ tookMs, during, outside: await probes.window(), told });
  }
  const { lost } = await probes.stop();
  if (lost > 0) throw new Unusable(`${lost} requests were not answered on connections that stayed open`);
  return found;
}
