/** What must be 0. */
export interface Losses {
  /** Requests without an answer, events that did not come, streams that did not end. */
  readonly lost: number;
  /** Answers and events that came once more. */
  readonly doubled: number;
  /** Answers without `id` that came before that of an earlier request. */
  readonly misordered: number;
  /** Answers that are not what they have to be, or answer nothing; streams that differ from their log. */
  readonly wrong: number;
  /** Connections that the server closed, or reset, though it owed something or their client had not ended. */
  readonly cut: number;
  /** Attempts to connect that were refused. */
  readonly refused: number;
}

/** What was going on. */
export interface Work {
  readonly connections: number;
  readonly requests: number;
  readonly answers: number;
  readonly runs: number;
  readonly events: number;
  readonly streams: number;
  readonly streamedBytes: number;
}

export const NO_LOSSES: Losses = { lost: 0, doubled: 0, misordered: 0, wrong: 0, cut: 0, refused: 0 };

/** So many complaints of a kind are kept: the first ones say what there is to know. */
const MAX_COMPLAINTS = 20;

/** The counts of all connections of a process. */
export class Tally {
  readonly losses: { -readonly [K in keyof Losses]: number } = { ...NO_LOSSES };
  readonly work: { -readonly [K in keyof Work]: number } = {
    connections: 0,
    requests: 0,
    answers: 0,
    runs: 0,
    events: 0,
    streams: 0,
    streamedBytes: 0,
  };
  readonly complaints: string[] = [];

  count(kind: keyof Losses, complaint: string): void {
    if (this.losses[kind]++ < MAX_COMPLAINTS)
      this.complaints.push(`${new Date().toISOString().slice(11, 23)} ${kind}: ${complaint.slice(0, 500)}`);
  }
}
