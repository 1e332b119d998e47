// The few system calls that Node lacks, through koffi: typed, synchronous, errno as PosixError.
// Must not know: anything of Rocksy. No policy, no waiting, no state.
// This is the folder's only door.
export { bindDatagram, sendDatagram } from './datagram.ts';
export {
  isReadable,
  MAX_DESCRIPTORS,
  MAX_MESSAGE_BYTES,
  type ReceivedDescriptors,
  receiveDescriptors,
  sendDescriptors,
} from './descriptors.ts';
export { ReadySet } from './epoll.ts';
export { become } from './exec.ts';
export { flockExclusive, isCloseOnExec, punchHole, setCloseOnExec } from './file.ts';
export {
  ALL_SIGNALS,
  forkInheriting,
  forkLoop,
  getpid,
  NO_SIGNALS,
  requestsUnderWay,
  type SignalMask,
  setSession,
  setSignalMask,
} from './fork.ts';
export { isAlive, nameOf, ownerOf, type ProcessName, signalProcess } from './identity.ts';
export { isPosixError, PosixError } from './libc.ts';
export { type ListeningAddress, listeningAddress } from './listening.ts';
export { collapsePages, inheritPages, memfd, releaseAddresses, reserveAddresses } from './memory.ts';
export { unixPeer } from './peer.ts';
export {
  bootId,
  children,
  type Descriptor,
  descriptors,
  type ProcessStat,
  parseFlags,
  parseStat,
  parseTcpTable,
  parseUnixTable,
  ppid,
  processStat,
  startTime,
  type TcpEndpoint,
  type TcpSocket,
  type Thread,
  tcpSocket,
  threads,
  type UnixSocket,
  udpSocket,
  unixSocket,
} from './proc.ts';
export {
  type ChildEnd,
  type DescriptorLimit,
  decodeWaitStatus,
  duplicateOnto,
  exitNow,
  getDescriptorLimit,
  getppid,
  isChildSubreaper,
  kill,
  peekZombie,
  pidfdOpen,
  pidfdSendSignal,
  raiseDescriptorLimit,
  setChildSubreaper,
  setDescriptorLimit,
  setParentDeathSignal,
  wait4,
} from './process.ts';
export {
  boundPort,
  getPeerCredentials,
  type ListenTcpOptions,
  type ListenUnixOptions,
  listenTcp,
  listenUnix,
  type PeerCredentials,
  probeUnix,
  socketpair,
  type UnixProbe,
} from './socket.ts';
export { type FileAction, type SpawnOptions, spawn } from './spawn.ts';
