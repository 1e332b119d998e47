// A process that stays (the keeper) holds the sockets for one that is replaced (the worker); exported as rocksy/takeover.
// Must not know: anything of Rocksy. It imports src/posix only.
// This is the folder's only door.
export {
  connectToKeeper,
  isUnderKeeper,
  type KeeperChannel,
  ListenError,
  standardError,
  TakeoverRefused,
} from './channel.ts';
export { Client, Clients, type Service } from './clients.ts';
export type { HandOverTiming } from './dispatches.ts';
export type { Estate, HandOverStep } from './hand-over.ts';
export { HttpClients, type HttpClientsOptions } from './http-clients.ts';
export { runKeeper } from './keeper.ts';
export type { Backoff } from './lifecycle.ts';
export { CHANNEL_VERSION, type KeeperSignal, type Orphan } from './messages.ts';
export { nodeBeside } from './node-beside.ts';
export {
  KeeperError,
  type KeeperOptions,
  type ListenerOptions,
  type Log,
  type LogLevel,
  type TcpListenerOptions,
  type UnixListenerOptions,
} from './options.ts';
export { pack, type Unpacked, unpack } from './pack.ts';
export { adoptSocket, descriptorOf, takeUnread, unsentBytes } from './sockets.ts';
export type { Heir, Succession, SuccessionStep } from './succession.ts';
