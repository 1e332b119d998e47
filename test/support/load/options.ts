import type { Address } from './address.ts';

/** What traffic there is to be. */
export interface TrafficOptions {
  /** Connections are spread over them in turn. The daemon has a pool `os` of the runtime `command`. */
  readonly addresses: readonly [Address, ...Address[]];
  /** Connections that are held open: at least 10. */
  readonly connections: number;
  /** Decides what is asked. It is also in the keys of the runs: another one for each load on the same state directory. */
  readonly seed: number;
  /** The daemon's state directory, where the logs are that streams are compared with. */
  readonly state: string;
  /** Requests that all askers together make in a second, roughly. */
  readonly requestsPerSecond: number;
  /** Connections that come and go in a second, besides those that are held. */
  readonly newcomersPerSecond: number;
  /** Milliseconds that answers may take after the load was told to stop. */
  readonly patienceMs: number;
}
