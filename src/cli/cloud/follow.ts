import { setTimeout as wait } from 'node:timers/promises';
import type { Attempt, Run } from '../../api/index.ts';
import { type CloudClient, CloudError } from '../../client/index.ts';
import { logLine } from '../log-line.ts';
import { harmless } from '../terminal.ts';
import type { CloudContext } from './context.ts';
import { outcomeOf } from './describe.ts';

interface Seen {
  readonly run: Run;
  readonly attempts: readonly Attempt[];
}

/** Prints what a run writes, attempt after attempt, until it has ended. Between two attempts stderr says so. */
export async function followRun(
  { cloud, terminal, json }: CloudContext,
  key: string,
  { attempt, offset = 0 }: { readonly attempt: number; readonly offset?: number },
): Promise<Run> {
  for (let present = attempt; ; present++) {
    try {
      const from = { attempt: present, offset: present === attempt ? offset : 0 };
      for await (const chunk of cloud.followLog(key, from))
        await terminal.pass(json ? logLine(chunk) : chunk);
    } catch (error) {
      // It was ended while it waited for this attempt.
      if (!(error instanceof CloudError) || error.code !== 'never_began') throw error;
    }
    const is = ({ run }: Seen) => run.state === 'ended' || run.attempt > present;
    const { run, attempts } = await whenIt(is, cloud, key);
    if (run.attempt <= present) return run;
    const former = attempts.find((each) => each.attempt === present);
    if (!json && former !== undefined)
      terminal.note(`${harmless(key)} ${outcomeOf(former)}; attempt ${present + 1}:`);
  }
}

/** The run, once it has ended. */
export async function endOf(cloud: CloudClient, key: string): Promise<Run> {
  return (await whenIt(({ run }) => run.state === 'ended', cloud, key)).run;
}

async function whenIt(is: (seen: Seen) => boolean, cloud: CloudClient, key: string): Promise<Seen> {
  const stop = new AbortController();
  const news = newsOf(cloud, key, stop.signal);
  try {
    for (let next = news.next(); ; ) {
      const seen = await cloud.call('getRun', { params: { key } });
      if (is(seen)) return seen;
      // At the latest in a second: the stream may have begun after what it should have told.
      const told = await Promise.race([next, wait(1_000, undefined, { ref: false })]);
      if (told !== undefined) next = news.next();
    }
  } finally {
    stop.abort();
  }
}

async function* newsOf(cloud: CloudClient, key: string, signal: AbortSignal): AsyncGenerator<void> {
  for await (const { kind, data } of cloud.events({ kinds: ['run'] }, { signal }))
    if (kind !== 'run' || data.key === key) yield;
}
