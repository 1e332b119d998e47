// The logs of runs: read, followed and searched by byte offset, masked, indexed by time, kept within bounds, watched for growth.
// For requests that show logs and for whoever reads a file that a pool's user could have put there.
// Must not know requests, connections, pools, or what a run is beyond the key and files it is given.
export { type Bounded, boundLog } from './bound.ts';
export type { LogChunk } from './chunk.ts';
export {
  type LogFile,
  openPoolFile,
  openPoolFileNow,
  type PoolFile,
  readFully,
  UnsafeFileError,
} from './files.ts';
export { DiskFloor, freeBytes } from './floor.ts';
export { type FollowOptions, LogFollower } from './follow.ts';
export { type Hole, MIN_BOUND_BYTES, removeNotes } from './holes.ts';
export { Mask, NO_MASK } from './mask.ts';
export type { LogMatch } from './scan.ts';
export { type LogMatches, type LogSearch, searchLog } from './search.ts';
export { type LogRange, MAX_CHUNK_BYTES, readRange } from './tail.ts';
export { LogTimes } from './times.ts';
export { GrowthWatch, type GrowthWatchOptions, type Told, type Watched } from './watch.ts';
