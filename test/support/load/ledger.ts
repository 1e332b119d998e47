import type { Tally } from './tally.ts';

export type Answer = Readonly<Record<string, unknown>>;

/** A request, and what its answer has to be. */
export interface Question {
  readonly name: string;
  readonly fields: object;
  /** What is wrong with an answer; null when nothing is. */
  readonly flaw: (answer: Answer) => string | null;
}

/** A request that was entered: what to send, and its answer, which is null when there was none. */
export interface Asked {
  readonly line: string;
  readonly answer: Promise<Answer | null>;
}

interface Pending {
  readonly question: Question;
  readonly settle: (answer: Answer | null) => void;
}

/** So many answered requests without `id` are remembered, to tell an answer that comes twice from a wrong one. */
const REMEMBERED = 32;

/** The requests of one connection and what came for them. Knows no socket: lines in, counts out. */
export class Ledger {
  readonly #tally: Tally;
  readonly #name: string;
  #lastId = 0;
  readonly #byId = new Map<number, Pending>();
  readonly #ordered: Pending[] = [];
  /** Overtaken by the answer to a later request; their own may still come. */
  readonly #overtaken: Pending[] = [];
  readonly #answered: Question[] = [];
  readonly #streams = new Map<number, (event: Answer) => void>();
  #closed = false;

  /** The name is for complaints. */
  constructor(tally: Tally, name: string) {
    this.#tally = tally;
    this.#name = name;
  }

  /** How many answers are due. */
  get due(): number {
    return this.#byId.size + this.#ordered.length + this.#overtaken.length;
  }

  /** Enters a request that is answered when its answer is ready. Pushed lines with its id go to `onEvent`. */
  enterWithId(question: Question, onEvent?: (event: Answer) => void): Asked {
    const id = ++this.#lastId;
    if (onEvent !== undefined) this.#streams.set(id, onEvent);
    return this.#enter({ ...question, fields: { id, ...question.fields } }, (pending) =>
      this.#byId.set(id, pending),
    );
  }

  /** Enters a request that is answered in its turn. */
  enterInOrder(question: Question): Asked {
    return this.#enter(question, (pending) => this.#ordered.push(pending));
  }

  #enter(question: Question, keep: (pending: Pending) => void): Asked {
    const line = `${question.name} ${JSON.stringify(question.fields)}\n`;
    this.#tally.work.requests++;
    const answer = new Promise<Answer | null>((settle) => keep({ question, settle }));
    if (this.#closed) this.#loseAll();
    return { line, answer };
  }

  /** A line that came, without its end. */
  take(line: string): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line) as Answer;
    } catch {
      this.#count('wrong', `no JSON: ${line}`);
      return;
    }
    if (typeof answer.id === 'number' && 'event' in answer) this.#takeEvent(answer.id, answer, line);
    else if (typeof answer.id === 'number') this.#takeWithId(answer.id, answer, line);
    else this.#takeInOrder(answer, line);
  }

  /** The connection is gone: what is unanswered is lost. */
  close(): void {
    this.#closed = true;
    this.#loseAll();
  }

  #takeEvent(id: number, event: Answer, line: string): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#count('wrong', `an event of no stream: ${line}`);
      return;
    }
    this.#tally.work.events++;
    stream(event);
  }

  #takeWithId(id: number, answer: Answer, line: string): void {
    const pending = this.#byId.get(id);
    if (pending === undefined) {
      this.#count(id <= this.#lastId ? 'doubled' : 'wrong', line);
      return;
    }
    this.#byId.delete(id);
    this.#settle(pending, answer);
  }

  #takeInOrder(answer: Answer, line: string): void {
    const fits = ({ question }: Pending): boolean => question.flaw(answer) === null;
    const [first] = this.#ordered;
    const place = this.#ordered.findIndex(fits);
    const late = this.#overtaken.findIndex(fits);
    if (place >= 0) {
      if (place > 0) this.#count('misordered', line);
      this.#overtaken.push(...this.#ordered.splice(0, place));
      this.#settleInOrder(this.#ordered, 0, answer);
    } else if (late >= 0) this.#settleInOrder(this.#overtaken, late, answer);
    else if (this.#answered.some((question) => question.flaw(answer) === null)) this.#count('doubled', line);
    else if (first !== undefined) this.#settleInOrder(this.#ordered, 0, answer);
    else this.#count('wrong', `answers nothing: ${line}`);
  }

  #settleInOrder(from: Pending[], place: number, answer: Answer): void {
    const [pending] = from.splice(place, 1);
    if (pending === undefined) return;
    this.#answered.push(pending.question);
    if (this.#answered.length > REMEMBERED) this.#answered.shift();
    this.#settle(pending, answer);
  }

  #settle({ question, settle }: Pending, answer: Answer): void {
    this.#tally.work.answers++;
    const flaw = question.flaw(answer);
    if (flaw !== null) this.#count('wrong', `${describe(question)}: ${flaw}: ${JSON.stringify(answer)}`);
    settle(answer);
  }

  #loseAll(): void {
    for (const { question, settle } of [...this.#byId.values(), ...this.#ordered, ...this.#overtaken]) {
      this.#count('lost', describe(question));
      settle(null);
    }
    this.#byId.clear();
    this.#ordered.length = 0;
    this.#overtaken.length = 0;
  }

  #count(kind: 'lost' | 'doubled' | 'misordered' | 'wrong', what: string): void {
    this.#tally.count(kind, `${this.#name}: ${what}`);
  }
}

function describe({ name, fields }: Question): string {
  return `${name} ${JSON.stringify(fields)}`;
}
