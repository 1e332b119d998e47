/**
 * What is wrong with the way to the daemon:
 * `unreachable`: no daemon answers at the address;
 * `lost`: the connection went away while a request was open that must not be sent twice: the daemon may have done it;
 * `protocol`: what answers does not speak the protocol;
 * `queue_full`: too many requests are waiting for a connection;
 * `closed`: the client was closed.
 */
export type ConnectionFailure = 'unreachable' | 'lost' | 'protocol' | 'queue_full' | 'closed';

/** An error of the way to the daemon. What the daemon itself refuses is a `RocksyError` with the wire's code. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly reason: ConnectionFailure;
  /** The addresses concerned, as text. */
  readonly addresses: readonly string[];

  constructor(reason: ConnectionFailure, message: string, addresses: readonly string[], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.addresses = addresses;
  }
}
