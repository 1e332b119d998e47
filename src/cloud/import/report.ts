// Shadow mode's report: what would have been run, beside what cron ran. Pure.

/** A job in shadow mode was due. */
export interface Planned {
  readonly job: string;
  readonly command: string;
  readonly dueMs: number;
}

export interface Ran {
  readonly command: string;
  readonly atMs: number;
}

export interface Period {
  readonly fromMs: number;
  /** The first instant after it. */
  readonly untilMs: number;
  /** So far a start may be from when it was due; cron begins a minute late when it is busy. Default: 60,000. */
  readonly toleranceMs?: number;
}

export interface Comparison<P extends Planned = Planned, R extends Ran = Ran> {
  readonly matched: readonly { readonly planned: P; readonly ran: R }[];
  /** Rocksy would have run it, and cron did not. */
  readonly onlyPlanned: readonly P[];
  /** Cron ran it, and Rocksy would not have. */
  readonly onlyRan: readonly R[];
}

const TOLERANCE_MS = 60_000;

/**
 * What of `planned` and `ran` in the period belongs together: the same command, at about the same time, the nearest ones
 * first, each once. Both should reach beyond the period by the tolerance, for a start at its edge may belong to the other
 * side of it.
 */
export function compareWithCron<P extends Planned, R extends Ran>(
  planned: readonly P[],
  ran: readonly R[],
  { fromMs, untilMs, toleranceMs = TOLERANCE_MS }: Period,
): Comparison<P, R> {
  const isWithin = (atMs: number): boolean => atMs >= fromMs && atMs < untilMs;
  const isNear = (atMs: number): boolean => atMs >= fromMs - toleranceMs && atMs < untilMs + toleranceMs;
  const plans = byCommand(
    planned.filter(({ dueMs }) => isNear(dueMs)),
    ({ dueMs }) => dueMs,
  );
  const starts = byCommand(
    ran.filter(({ atMs }) => isNear(atMs)),
    ({ atMs }) => atMs,
  );
  const pairs: { planned: P; ran: R }[] = [];
  for (const [command, due] of plans) pairs.push(...pair(due, starts.get(command) ?? [], toleranceMs));
  const isMatched = new Set<P | R>(pairs.flatMap((each) => [each.planned, each.ran]));
  return {
    matched: pairs
      .filter((each) => isWithin(each.planned.dueMs))
      .toSorted((a, b) => a.planned.dueMs - b.planned.dueMs),
    onlyPlanned: planned
      .filter((each) => isWithin(each.dueMs) && !isMatched.has(each))
      .toSorted((a, b) => a.dueMs - b.dueMs),
    onlyRan: ran
      .filter((each) => isWithin(each.atMs) && !isMatched.has(each))
      .toSorted((a, b) => a.atMs - b.atMs),
  };
}

function byCommand<T extends { readonly command: string }>(
  all: readonly T[],
  timeOf: (each: T) => number,
): Map<string, T[]> {
  const groups = Map.groupBy(all, ({ command }) => normalCommand(command));
  for (const group of groups.values()) group.sort((a, b) => timeOf(a) - timeOf(b));
  return groups;
}

/** In rounds, each with twice the tolerance of the one before: what is nearer goes first, and none is left that could be. */
function pair<P extends Planned, R extends Ran>(
  planned: readonly P[],
  ran: readonly R[],
  toleranceMs: number,
): { planned: P; ran: R }[] {
  const pairs: { planned: P; ran: R }[] = [];
  let plans = planned;
  let starts = ran;
  for (let within = Math.min(1000, toleranceMs); ; within = Math.min(within * 2, toleranceMs)) {
    const found = pairInOrder(plans, starts, within);
    pairs.push(...found);
    const isPaired = new Set<P | R>(found.flatMap((each) => [each.planned, each.ran]));
    plans = plans.filter((each) => !isPaired.has(each));
    starts = starts.filter((each) => !isPaired.has(each));
    if (within >= toleranceMs || plans.length === 0 || starts.length === 0) return pairs;
  }
}

/** Both are in order of time. */
function pairInOrder<P extends Planned, R extends Ran>(
  plans: readonly P[],
  starts: readonly R[],
  withinMs: number,
): { planned: P; ran: R }[] {
  const pairs: { planned: P; ran: R }[] = [];
  let next = 0;
  for (const planned of plans) {
    while ((starts[next]?.atMs ?? Number.POSITIVE_INFINITY) < planned.dueMs - withinMs) next++;
    const ran = starts[next];
    if (ran === undefined) break;
    if (ran.atMs > planned.dueMs + withinMs) continue;
    pairs.push({ planned, ran });
    next++;
  }
  return pairs;
}

const ENCODER = new TextEncoder();

/**
 * Without the differences between a command and what cron logs of it: white space, and the escapes of mkprint() in
 * cron's misc.c (`ü` is `\303\274`, a tab is `^I`).
 */
export function normalCommand(command: string): string {
  return command
    .replaceAll(/[^\0-\x7f]+/g, (text) =>
      [...ENCODER.encode(text)].map((byte) => `\\${byte.toString(8)}`).join(''),
    )
    .replaceAll('^I', ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** What cron logs for a job of this argv: of a shell and its script the script. */
export function commandOf(argv: readonly string[]): string {
  const [, flag, script] = argv;
  return argv.length === 3 && flag === '-c' && script !== undefined ? script : argv.join(' ');
}
