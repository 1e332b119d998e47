// The TypeScript client of a rocksyd, exported as `rocksy/client` (docs/client.md): for programs, the command line and the cloud.
// Must not know how the daemon does what it answers, nor who prints the answers.
// Imports src/wire and src/api only.

export {
  type ErrorCode,
  type GenerationView,
  type JsonValue,
  type OutcomeName,
  type PoolView,
  type Progress,
  RocksyError,
  type RunEventName,
  type RunKey,
  type RunState,
  type RunView,
  type TakeoverView,
} from '../wire/index.ts';
export { type Address, addressText, parseAddress } from './address.ts';
export type { LogMatch, LogMatches, Stats } from './answer.ts';
export {
  type CallOptions,
  Client,
  type ClientOptions,
  connect,
  type LogRange,
  type ReloadedPool,
  type Restarted,
  type RunRequest,
  type StartedRun,
} from './client.ts';
export { CloudClient, CloudError, type CloudEvent, type CloudOptions, connectCloud } from './cloud/index.ts';
export type { Hello } from './connection.ts';
export { ConnectionError, type ConnectionFailure } from './errors.ts';
export { type EventFilter, EventStream, type RunEvent } from './events.ts';
export type { FollowOptions } from './follow.ts';
