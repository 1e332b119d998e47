import type net from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { type Address, connect, connected } from './address.ts';
import { type Answer, Ledger, type Question } from './ledger.ts';
import type { Random } from './random.ts';
import type { Tally } from './tally.ts';

/** Lines that are sent at once are cut into so many pieces at most. */
const MOST_PIECES = 6;
/** Between two pieces it takes this long at most, and mostly far less. */
const LONGEST_PAUSE_MS = 1500;

/** One connection to the daemon whose every answer is matched. */
export class LoadClient {
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: net.Socket;
  readonly #ledger: Ledger;
  readonly #tally: Tally;
  readonly #random: Random;
  readonly #name: string;
  #unsent = '';
  #input = '';
  #state: 'open' | 'ended' | 'closed' = 'open';

  private constructor(socket: net.Socket, name: string, tally: Tally, random: Random) {
    this.#socket = socket;
    this.#name = name;
    this.#tally = tally;
    this.#random = random;
    this.#ledger = new Ledger(tally, name);
    const decoder = new StringDecoder('utf8');
    socket.on('data', (chunk) => this.#read(decoder.write(chunk)));
    socket.on('end', () => this.#over('the server ended it'));
    socket.on('error', (error) => this.#over(error.message));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over('it closed');
        resolve();
      });
    });
  }

  /** The number tells clients apart. Rejects when the connection is refused. */
  static async open(address: Address, number: number, tally: Tally, random: Random): Promise<LoadClient> {
    const socket = connect(address, number);
    try {
      await connected(socket);
    } catch (error) {
      tally.count('refused', (error as Error).message);
      throw error;
    }
    tally.work.connections++;
    return new LoadClient(socket, `${'path' in address ? 'unix' : 'tcp'} ${number}`, tally, random);
  }

  /** Whether the connection can still be asked something. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Puts down a request that is answered when it is ready; `send` sends it. Its answer is null when there is none. */
  askWithId(question: Question, onEvent?: (event: Answer) => void): Promise<Answer | null> {
    const { line, answer } = this.#ledger.enterWithId(question, onEvent);
    this.#unsent += line;
    return answer;
  }

  /** Puts down a request that is answered in its turn; `send` sends it. */
  askInOrder(question: Question): Promise<Answer | null> {
    const { line, answer } = this.#ledger.enterInOrder(question);
    this.#unsent += line;
    return answer;
  }

  /** Puts down either kind of request. */
  askEither(question: Question): Promise<Answer | null> {
    return this.#random.chance(0.5) ? this.askWithId(question) : this.askInOrder(question);
  }

  /** Puts down the beginning of a line, which is no request and gets no answer: to be sent before `end`. */
  beginLine(text: string): void {
    this.#unsent += text;
  }

  /** Sends what was put down, all at once. */
  send(): void {
    if (this.#state === 'open' && this.#unsent !== '') this.#socket.write(this.#unsent);
    this.#unsent = '';
  }

  /** Sends what was put down in pieces, cut at any byte, with pauses. */
  async dribble(): Promise<void> {
    let rest = Buffer.from(this.#unsent);
    this.#unsent = '';
    for (let pieces = this.#random.integer(1, MOST_PIECES); pieces > 1 && rest.length > 1; pieces--) {
      const cut = this.#random.integer(1, rest.length - 1);
      if (this.#state === 'open') this.#socket.write(rest.subarray(0, cut));
      rest = rest.subarray(cut);
      await pause(LONGEST_PAUSE_MS * this.#random.fraction() ** 6);
    }
    if (this.#state === 'open' && rest.length > 0) this.#socket.write(rest);
  }

  /** Reads nothing for so long: answers fill the sockets' buffers, and then wait in the server. */
  async stopReading(ms: number): Promise<void> {
    this.#socket.pause();
    await pause(ms);
    this.#socket.resume();
  }

  /** Sends no more. What is due must still come, and then the end of the other side. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#socket.end();
  }

  /** Gives up: what is due is lost. */
  destroy(): void {
    this.#over('it was given up');
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#input + text).split('\n');
    this.#input = lines.pop() ?? '';
    for (const line of lines) this.#ledger.take(line);
  }

  #over(how: string): void {
    if (this.#state === 'closed') return;
    const { due } = this.#ledger;
    if (this.#state === 'open' || due > 0)
      this.#tally.count('cut', `${this.#name}: ${how}, ${due} answers were due`);
    else if (this.#input !== '') this.#tally.count('wrong', `${this.#name}: half a line: ${this.#input}`);
    this.#state = 'closed';
    this.#ledger.close();
    this.#socket.end();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
