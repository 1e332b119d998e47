import { parseLine, type RawRequest } from '../../wire/index.ts';

/** A request while it is being answered, or for as long as it goes on. */
export interface Task {
  readonly name: string;
  /** Where a former process got to with it; null: it begins here. */
  readonly resumed: object | null;
  /** It is in progress, and could not be gone on with elsewhere: it has to end before a takeover. */
  readonly isShort: boolean;
  /** From now on another process could go on with it from what `progress` (for JSON) says then. */
  handOver(progress: () => object): void;
}

/** What another process needs to go on with a request. */
export interface SavedTask {
  readonly line: string;
  readonly progress: object;
  /** It has had its answer, and goes on (a subscription). */
  readonly answered: boolean;
}

/** A task as its connection keeps it. */
export class RunningTask implements Task {
  readonly request: RawRequest;
  readonly resumed: object | null;
  progress: (() => object) | null = null;
  answered = false;
  /** It does not end with its answer. */
  goesOn = false;

  constructor(request: RawRequest, resumed: object | null) {
    this.request = request;
    this.resumed = resumed;
  }

  static restore({ line, progress, answered }: SavedTask): RunningTask {
    const task = new RunningTask(parseLine(Buffer.from(line)), progress);
    task.answered = answered;
    return task;
  }

  save(): SavedTask {
    return { line: lineOf(this.request), progress: this.progress?.() ?? {}, answered: this.answered };
  }

  get name(): string {
    return this.request.name;
  }

  get isShort(): boolean {
    return !this.answered && this.progress === null;
  }

  handOver(progress: () => object): void {
    this.progress = progress;
  }
}

/** The request as a line again; what was left out means nothing. */
export function lineOf({ name, text }: RawRequest): string {
  return `${name} ${text}`;
}
