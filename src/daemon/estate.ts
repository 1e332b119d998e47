import { pack, type Unpacked, unpack } from '../takeover/index.ts';
import type { SavedConnections } from './connections/index.ts';
import type { Told } from './logs/index.ts';
import type { BegunRun, EndingOrphan } from './runs/index.ts';

/**
 * Raised when this release can't go on with what an older one hands over, or the other way round. Fields may be added
 * without: a release passes over what it does not know, and does without what it does not get.
 */
const VERSION = 1;

/** What a worker hands over to its successor, but for the bytes of its connections. All else lies in the journal. */
export interface State {
  readonly version: number;
  readonly connections: SavedConnections;
  readonly runs: readonly BegunRun[];
  /** Runs without a zygote that have been told to end. */
  readonly ending: readonly EndingOrphan[];
  /** What subscribers have been told of logs and progress. */
  readonly told: readonly Told[];
  /** Names of pools that take no new runs because somebody has said so. */
  readonly draining: readonly string[];
}

const NOTHING: Pick<State, 'ending' | 'told' | 'draining'> = { ending: [], told: [], draining: [] };

export function writeState(state: Omit<State, 'version'>, pieces: readonly Uint8Array[]): Buffer {
  return pack({ version: VERSION, ...state }, pieces);
}

/** Throws where it is of a version that this release does not know. */
export function readState(bytes: Buffer): Unpacked<State> {
  const unpacked = unpack<State>(bytes);
  const { version } = unpacked.header;
  // What was added since the first release of this version may be missing.
  if (version === VERSION) return { ...unpacked, header: { ...NOTHING, ...unpacked.header } };
  throw new Error(
    `the running daemon hands over its state by version ${version}, this release reads version ${VERSION}: stop and start it instead`,
  );
}
