import { exitCodeOf, PROCESSES_AT_ONCE, PROGRAM } from './handler.ts';
import type { Includes, Peer, Started } from './peer.ts';

/** The limit for processes: the same loop of spawn() in the same process, from an array instead of a queue. */
export class NoQueue implements Peer {
  readonly name = 'limit: spawn alone, no queue';
  readonly settings = `${PROCESSES_AT_ONCE} at once`;
  readonly scenarios = ['processes'] as const;
  readonly includes: Includes = {
    ownProcess: 'yes',
    exitCode: 'in memory',
    log: 'no',
    http: 'no',
    durable: 'nothing',
  };

  missing(): null {
    return null;
  }

  async start(): Promise<Started> {
    return {
      one: () => Promise.reject(new Error('there is no queue')),
      many: async (count) => {
        let missing = count;
        const lane = async (): Promise<void> => {
          while (missing-- > 0) {
            const code = await exitCodeOf(PROGRAM);
            if (code !== 0) throw new Error(`exit code ${code}`);
          }
        };
        await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, lane));
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
}
