import type { Logger } from 'pino';
import type { RequestId, TakeoverView } from '../../wire/index.ts';
import type { Config } from '../config/index.ts';
import type { Connection, Task } from '../connections/index.ts';
import type { Journal } from '../journal/index.ts';
import type { DiskFloor, LogTimes, Mask } from '../logs/index.ts';
import type { Pools } from '../pools/index.ts';
import type { Runs } from '../runs/index.ts';
import type { Scope } from './scope.ts';

/** The parts of the daemon that requests work with. */
export interface Daemon {
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  readonly journal: Journal;
  readonly pools: Pools;
  readonly runs: Runs;
  readonly floor: DiskFloor;
  /** Secrets are hidden wherever logs and errors are shown. */
  readonly mask: Mask;
  readonly logTimes: LogTimes;
  readonly startedMs: number;
  readonly connectionCount: () => number;
  /**
   * Replaces this process by one with the code and the configuration as they are now. Rejects when that is refused; when
   * it is not, nobody is left here to be told, and `takenOver` says so in the other process.
   * @param begun called when this very takeover begins, after others that are under way
   */
  readonly restart: (begun: () => void) => Promise<never>;
  /** How this process came by its connections, once it serves them all; null: there was no living predecessor. */
  readonly takenOver: Promise<TakeoverView | null>;
  /** Begins to stop the daemon, as SIGTERM does. */
  readonly stop: () => void;
}

/** Who asks, and where pushed lines go. */
export interface Asker {
  readonly connection: Connection;
  readonly scope: Scope;
  readonly id: RequestId | undefined;
  readonly task: Task;
  /** Length of the request. */
  readonly bytes: number;
}
