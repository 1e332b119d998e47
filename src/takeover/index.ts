// A process that stays (the keeper) holds the sockets for one that is replaced (the worker); exported as rocksy/takeover.
// Must not know: anything of Rocksy. It imports src/posix only.
// This is the folder's only door. The replacing itself (prepare, freeze, adopt) will stand beside these files.
export { connectToKeeper, isUnderKeeper, type KeeperChannel } from './channel.ts';
export { runKeeper } from './keeper.ts';
export type { Backoff } from './lifecycle.ts';
export { CHANNEL_VERSION, type KeeperSignal, type Orphan } from './messages.ts';
export {
  KeeperError,
  type KeeperOptions,
  type ListenerOptions,
  type Log,
  type LogLevel,
  type TcpListenerOptions,
  type UnixListenerOptions,
} from './options.ts';
