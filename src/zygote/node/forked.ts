import { forkLoop, NO_SIGNALS, setSession, setSignalMask } from '../../posix/index.ts';
import type { Origin } from './child.ts';
import { optimize } from './optimizing.ts';
import { putBack, repairPid, reseed, type SignalListeners, takeAway } from './repairs/index.ts';

/**
 * Of children that are forks of this process.
 * @param signalListeners the bootstrap's, which are the run's again
 * @param abandonZygote lets go of all that the zygote has open and under way
 */
export function forkedHere(signalListeners: SignalListeners, abandonZygote: () => void): Origin {
  return {
    zygote: process.pid,
    leave: () => {
      forkLoop();
      abandonZygote();
      setSession();
      takeAway();
      setSignalMask(NO_SIGNALS); // Forker has blocked them all
      repairPid();
      reseed();
      optimize('all');
    },
    handSignalsOver: () => putBack(signalListeners),
    check: async () => {
      try {
        const { selfCheck } = await import('./fork-safety/index.ts'); // no other child needs it, nor does the zygote
        await selfCheck();
      } catch (error) {
        throw new Error(
          `a fork of this Node (${process.version}) is not whole: ${(error as Error).message}. ` +
            'Say `fork: false` to have a process started for each run; `rocksy doctor --fork` tells more',
          { cause: error },
        );
      }
    },
  };
}
