import type { LoadClient } from '../client.ts';
import type { Answer } from '../ledger.ts';
import { flawOfRun, hello } from '../questions.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** How often it looks whether all events have come. */
const LOOK_MS = 20;

/** Is told of the end of each run, exactly once. Opened before the first run, and finished after the last. */
export class Subscriber {
  readonly #world: World;
  readonly #client: LoadClient;
  /** Key → retcode. */
  readonly #heard = new Map<string, unknown>();

  private constructor(world: World, client: LoadClient) {
    this.#world = world;
    this.#client = client;
  }

  static async open(world: World, random: Random): Promise<Subscriber> {
    const client = await world.open(random);
    if (client === null) throw new Error('the daemon refuses connections');
    const subscriber = new Subscriber(world, client);
    const flaw = (answer: Answer): string | null => (answer.ok === true ? null : 'expected ok');
    const subscribed = client.askWithId(
      { name: 'subscribe', fields: { events: ['exited'] }, flaw },
      (event) => subscriber.#take(event),
    );
    client.send();
    await subscribed;
    return subscriber;
  }

  /** Waits until it was told of all runs that have ended. */
  async finish(): Promise<void> {
    const missing = (): string[] =>
      this.#world.ended.map(({ key }) => key).filter((key) => !this.#heard.has(key));
    const deadline = Date.now() + this.#world.options.patienceMs;
    while (this.#client.isOpen && missing().length > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    // It was cut, and that is counted.
    if (!this.#client.isOpen) return;
    for (const key of missing()) this.#world.tally.count('lost', `the event of the end of ${key}`);
    for (const { key, retcode } of this.#world.ended) {
      if (this.#heard.has(key) && this.#heard.get(key) !== retcode)
        this.#world.tally.count(
          'wrong',
          `the event of the end of ${key} has retcode ${this.#heard.get(key)}`,
        );
    }
    void this.#client.askEither(hello());
    this.#client.send();
    this.#client.end();
    await this.#client.closed;
  }

  #take(event: Answer): void {
    const flaw = event.event === 'exited' ? flawOfRun(event, { state: 'ended' }) : 'expected exited';
    if (flaw !== null) this.#world.tally.count('wrong', `${flaw}: ${JSON.stringify(event)}`);
    const { key, retcode } = event.run as { key: string; retcode: unknown };
    if (this.#heard.has(key)) this.#world.tally.count('doubled', `the event of the end of ${key}`);
    this.#heard.set(key, retcode);
  }
}
