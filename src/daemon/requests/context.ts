import type { Logger } from 'pino';
import type { RequestId } from '../../wire/index.ts';
import type { Config } from '../config/index.ts';
import type { Connection } from '../connections/index.ts';
import type { Journal } from '../journal/index.ts';
import type { DiskFloor, LogTimes, Mask } from '../logs/index.ts';
import type { Pools } from '../pools/index.ts';
import type { Runs } from '../runs/index.ts';

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
  /** Begins to stop the daemon, as SIGTERM does. */
  readonly stop: () => void;
}

/** Who asks, and where pushed lines go. */
export interface Asker {
  readonly connection: Connection;
  readonly id: RequestId | undefined;
  /** Length of the request. */
  readonly bytes: number;
}
