import type { Address } from './address.ts';
import { LoadClient } from './client.ts';
import type { TrafficOptions } from './options.ts';
import { hello } from './questions.ts';
import type { Random } from './random.ts';
import type { Tally } from './tally.ts';

/** Between two attempts to connect again. */
const AGAIN_MS = 20;

/** How a run has ended, as its client was told. */
export interface Ended {
  readonly key: string;
  readonly retcode: number;
}

/** What all clients of the load share: where to connect, numbers, what has ended, and when it is over. */
export class World {
  readonly options: TrafficOptions;
  readonly tally: Tally;
  /** Runs whose end was told to the client that waited for them. */
  readonly ended: Ended[] = [];
  #stopping = false;
  #lastNumber = 0;
  readonly #sleepers = new Set<() => void>();
  readonly #clients = new Set<LoadClient>();

  constructor(options: TrafficOptions, tally: Tally) {
    this.options = options;
    this.tally = tally;
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** A number that nobody had before. */
  number(): number {
    return ++this.#lastNumber;
  }

  /** A key that nobody had before. */
  key(what: string): string {
    return `${this.keyPrefix}${what}-${this.number()}`;
  }

  get keyPrefix(): string {
    return `load-${this.options.seed}-`;
  }

  /** A key of the original's kind that nobody had before. */
  hash(): number {
    return this.options.seed * 10_000_000 + this.number();
  }

  /** One attempt: null when it was refused. */
  async open(random: Random): Promise<LoadClient | null> {
    const number = this.number();
    const addresses: readonly Address[] = this.options.addresses;
    const address = addresses[number % addresses.length] ?? this.options.addresses[0];
    try {
      const client = await LoadClient.open(address, number, this.tally, random);
      this.#clients.add(client);
      void client.closed.then(() => this.#clients.delete(client));
      return client;
    } catch {
      // It is counted.
      return null;
    }
  }

  /** Keeps one connection busy with the same thing until the load stops, and another one when that was cut. */
  async keepBusy(random: Random, work: (client: LoadClient) => Promise<void>): Promise<void> {
    while (!this.#stopping) {
      const client = await this.open(random);
      if (client === null) await this.rest(AGAIN_MS);
      else {
        while (client.isOpen && !this.#stopping) await work(client);
        await farewell(client);
      }
    }
  }

  /** Waits so long, or until the load stops. */
  async rest(ms: number): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  /** From now on nothing new is begun. */
  stop(): void {
    this.#stopping = true;
    for (const wake of this.#sleepers) wake();
  }

  /** Cuts off whoever is still there: what they are owed is lost. */
  giveUp(): void {
    for (const client of this.#clients) client.destroy();
  }
}

/** The last request of a connection: it shows that it was alive to the end. */
async function farewell(client: LoadClient): Promise<void> {
  if (!client.isOpen) return;
  void client.askEither(hello());
  client.send();
  client.end();
  await client.closed;
}
