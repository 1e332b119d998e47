import { setTimeout as delay } from 'node:timers/promises';
import { RocksyError } from '../wire/index.ts';
import { type Address, addressText } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ConnectionError } from './errors.ts';

export interface DialerOptions extends ConnectionOptions {
  /** How long to try before the first connection ever: 0 for a single attempt. */
  readonly firstPatienceMs: number;
  /** How long to try after a connection was lost. */
  readonly patienceMs: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
}

/** Refusals that pass by themselves. Any other one comes again however often it is asked. */
const PASSING: ReadonlySet<string> = new Set(['too_many_connections', 'stopping', 'slow_reader']);

/** Whether it may help to connect again after this error. */
export function isPassing(error: unknown): boolean {
  if (error instanceof RocksyError) return PASSING.has(error.code);
  return !(error instanceof ConnectionError);
}

/**
 * Makes connections, patiently. The address that answered first stays: a request that is sent again must reach the
 * daemon that had it before.
 */
export class Dialer {
  readonly #options: DialerOptions;
  #addresses: readonly Address[];
  #everConnected = false;

  constructor(addresses: readonly Address[], options: DialerOptions) {
    this.#addresses = addresses;
    this.#options = options;
  }

  get addresses(): readonly string[] {
    return this.#addresses.map(addressText);
  }

  /** A connection, after as many attempts as patience allows. Rejects with the signal's reason when that is aborted. */
  async dial(signal: AbortSignal): Promise<Connection> {
    const { firstPatienceMs, patienceMs, backoff } = this.#options;
    const until = performance.now() + (this.#everConnected ? patienceMs : firstPatienceMs);
    for (let pauseMs = backoff.firstMs; ; pauseMs = Math.min(pauseMs * 2, backoff.maxMs)) {
      try {
        return await this.#attempt(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        // Half of the pause is random, so that a thousand clients of a restarted daemon don't come in step.
        const jittered = pauseMs * (0.5 + Math.random() / 2);
        if (performance.now() + jittered > until) throw this.#unreachable(error);
        await delay(jittered, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }

  async #attempt(signal: AbortSignal): Promise<Connection> {
    const failures: unknown[] = [];
    for (const address of this.#addresses) {
      try {
        const connection = await Connection.open(address, this.#options, signal);
        this.#addresses = [address];
        this.#everConnected = true;
        return connection;
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        failures.push(error);
      }
    }
    throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  }

  #unreachable(cause: unknown): ConnectionError {
    const causes = cause instanceof AggregateError ? cause.errors : [cause];
    const tried = this.addresses.map((address, i) => `${address} (${reasonOf(causes[i])})`);
    return new ConnectionError(
      'unreachable',
      `No daemon answers at ${tried.join(' or ')}`,
      this.addresses,
      cause,
    );
  }
}

const WORDS: { readonly [code: string]: string } = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  EACCES: 'permission denied',
  ENOTFOUND: 'there is no such host',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const code = (error as NodeJS.ErrnoException).code;
  return WORDS[code ?? ''] ?? error.message;
}
