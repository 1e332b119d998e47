import type { Address } from '../../test/support/load/address.ts';
import type { DialectName } from '../../test/support/load/dialects.ts';
import type { Site } from '../support/site.ts';

/** A server that runs, and that can be replaced while clients are connected. */
export interface Replaceable extends AsyncDisposable {
  readonly address: Address;
  readonly dialect: DialectName;
  /**
   * Puts a new one in its place; resolves when the old one is gone, or has not gone for some seconds.
   * Returns what the server says about it: numbers by their names. Throws `Unusable` when it refuses.
   */
  replace(): Promise<Readonly<Record<string, number>>>;
}

/** A way of replacing a server, and how to start one that it can be done to. */
export interface Contender {
  readonly name: string;
  /** What has to be installed for it. */
  readonly needs: { readonly program: string; readonly debianPackage: string } | null;
  /** It must be able to hold so many connections. */
  start(site: Site, connections: number): Promise<Replaceable>;
}

/** The server does not let itself be replaced, or not in a way that can be measured. */
export class Unusable extends Error {}

/** How long an old process may take to go. */
export const PATIENCE_MS = 5000;
