import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { ALL_SIGNALS, exitNow, setSignalMask } from '../../posix/index.ts';
import { after } from '../serving/index.ts';
import { InheritedMemory } from './dofork.ts';
import { Garbage } from './garbage.ts';
import { underWay } from './quiesce.ts';
import { FAILED } from './results.ts';

const LOOK_AGAIN_MS = 1;
/** What is under way for longer than this does not end: something of the bootstrap's is going on. */
const PATIENCE_MS = 5_000;

export interface Birth {
  /** Right before the fork: what is opened earlier, children that are forked in between would have as well. */
  prepare?(): void;
  /** In the child, with every signal blocked. When it returns, the child goes on in its own event loop. */
  inChild(): void;
  /** In the zygote: the child's pid, or why there is none. */
  born(child: number | Error): void;
}

/**
 * Forks, and never while anything else of ours is on the stack: only from a setImmediate() of its own, one fork in each.
 * The child is a copy of all this. Back from that callback it finds no promise job and no tick of the zygote (Node empties
 * both between two immediates: processImmediate in lib/internal/timers.js), so that what goes on there is the run alone.
 */
export class Forker {
  readonly #memory = new InheritedMemory();
  readonly #garbage = new Garbage();
  readonly #runs: Birth[] = [];
  readonly #spares: Birth[] = [];
  #armed = false;
  #busySinceMs: number | null = null;

  /** `run`: somebody waits for it. `spare`: those for whom nobody does come after all others. */
  request(kind: 'run' | 'spare', birth: Birth): void {
    (kind === 'run' ? this.#runs : this.#spares).push(birth);
    this.#arm();
  }

  /** Those that nobody waits for don't come. */
  cancelSpares(): void {
    this.#spares.length = 0;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#armed = false;
    const busy = underWay();
    if (busy.length > 0 && this.#isPatient()) {
      this.#armed = true;
      after(LOOK_AGAIN_MS, () => setImmediate(() => this.#turn()));
      return;
    }
    this.#busySinceMs = null;
    const birth = this.#runs.shift() ?? this.#spares.shift();
    if (birth === undefined) return;
    if (busy.length > 0) {
      birth.born(new Error(`something has been under way for ${PATIENCE_MS} ms: ${busy.join(', ')}`));
    } else if (this.#fork(birth) === 'child') {
      return;
    }
    if (this.#runs.length + this.#spares.length > 0) this.#arm();
  }

  #isPatient(): boolean {
    const now = performance.now();
    this.#busySinceMs ??= now;
    return now - this.#busySinceMs < PATIENCE_MS;
  }

  /**
   * A signal that the child gets before its loop is its own would be told to the zygote, by the signal pipe that they share
   * until then (uv__signal_handler in libuv's src/unix/signal.c): a SIGTERM to a run would drain the pool. So none arrives.
   */
  #fork(birth: Birth): 'child' | 'zygote' {
    const mask = setSignalMask(ALL_SIGNALS);
    let pid: number | Error;
    try {
      birth.prepare?.();
      pid = this.#memory.fork();
    } catch (error) {
      pid = error as Error;
    }
    if (pid === 0) {
      begin(birth);
      return 'child';
    }
    setSignalMask(mask);
    birth.born(pid);
    this.#garbage.collectIfMuch();
    return 'zygote';
  }
}

/** Node's own way out of an exception would wait for threads that are not there (repairs/exits.ts). */
function begin(birth: Birth): void {
  try {
    birth.inChild();
  } catch (error) {
    writeSync(2, `the forked child failed: ${inspect(error)}\n`);
    exitNow(FAILED);
  }
}
