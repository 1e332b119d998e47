import net from 'node:net';
import { socketpair } from '../../posix/index.ts';
import { LineFramer } from '../../wire/index.ts';
import { letGo } from './handle.ts';
import { readPending } from './pending.ts';

/** What a child says on its way to user code. */
export interface Report {
  /** The process that the zygote has started. */
  readonly spawned: number;
  /** The child that it forked: the run's main process. */
  readonly pid: number;
  /**
   * `loaded`: it has loaded the user's code, and waits for a run. `child`: there is such a child. `unclaimed`: it has not
   * claimed the key and never will.
   */
  readonly step: (typeof STEPS)[number];
  /** Why it is unclaimed. */
  readonly problem: string;
}

/** Longer than any line that a child writes. */
const MAX_LINE_BYTES = 4096;
const STEPS = ['loaded', 'child', 'claimed', 'unclaimed'] as const;
const LINE = new RegExp(`^(?<step>${STEPS.join('|')}) (?<spawned>\\d+) (?<pid>\\d+) ?(?<problem>.*)$`);

/**
 * One socket pair on which all children report, a line by one write. We keep both ends: ours is read by the event loop,
 * and by `read()` wherever a report must not come later than what is done next. Children inherit theirs and close it
 * before user code: by executing the command, or by hand.
 */
export class Reports {
  readonly childrenFd: number;
  readonly #fd: number;
  readonly #framer = new LineFramer(MAX_LINE_BYTES);
  readonly #handle: (report: Report) => void;
  readonly #socket: net.Socket;

  constructor(handle: (report: Report) => void) {
    this.#handle = handle;
    [this.#fd, this.childrenFd] = socketpair('stream');
    // Makes our end non-blocking; the children's stays blocking, it is an open file of its own. With a buffer of our
    // own a report costs no memory outside V8's heap, which its garbage collector would let grow.
    const onread = {
      buffer: Buffer.alloc(65_536),
      callback: (count: number, buffer: Uint8Array) => {
        this.#push(Buffer.from(buffer.subarray(0, count)));
        return true;
      },
    };
    this.#socket = new net.Socket({ fd: this.#fd, readable: true, writable: false, onread });
    // The listening socket keeps a zygote going. Before there is one, a bootstrap that waits for nothing shall end.
    this.#socket.unref();
  }

  /** Handles every report that has been written up to now. */
  read(): void {
    readPending(this.#fd, (chunk) => this.#push(chunk));
  }

  /** In a process that has come from this one by fork(2): lets go of our end, and keeps the children's. */
  abandon(): void {
    letGo(this.#socket);
  }

  #push(chunk: Buffer): void {
    for (const line of this.#framer.push(chunk).lines) {
      const { step: said, spawned, pid, problem = '' } = LINE.exec(line.toString())?.groups ?? {};
      const step = STEPS.find((each) => each === said);
      if (step !== undefined) this.#handle({ spawned: Number(spawned), pid: Number(pid), step, problem });
    }
  }
}
