import { createHash } from 'node:crypto';
import type { News, NoticeWhat } from './notice.ts';
import type { IncidentKind, Observation } from './observation.ts';

const HOUR_MS = 3_600_000;

/** From one notice to the next while it still occurs: 1, 4, 12 and 24 hours after the first. */
export const REMIND_AFTER_MS: readonly number[] = [HOUR_MS, 3 * HOUR_MS, 8 * HOUR_MS, 12 * HOUR_MS];
/** What fails again so soon after a recovery is the same incident. */
export const QUIET_MS = HOUR_MS;
/** So often an incident is told to be over and back. From then on it is over when it has been quiet for `QUIET_MS`. */
export const MAX_TOLD = 3;
/** Different causes that a job is in trouble by, of one kind. All others are one more incident together. */
export const MAX_CAUSES = 5;

/** The group of all causes that are too many. */
export const OTHER = 'other';
const MAX_CAUSE_CHARS = 1000;
/** More runs at once than this that are late: the oldest are taken for over. */
const MAX_RUNS = 100;

export type Phase =
  | { readonly state: 'open' }
  /** It may come back. `told`: people know that it is over. */
  | { readonly state: 'recovered'; readonly sinceMs: number; readonly told: boolean };

/** What is wrong with a job, by one cause. Plain data. */
export interface Incident {
  readonly id: string;
  /** `project/name` */
  readonly job: string;
  readonly kind: IncidentKind;
  /** The fingerprint of its causes. */
  readonly group: string;
  /** As it was first. */
  readonly cause: string;
  readonly openedMs: number;
  readonly lastMs: number;
  readonly lastRun: string | null;
  readonly count: number;
  /** The runs that are late or take too long at present. Others have none: they are events, not states. */
  readonly runs: readonly (string | null)[];
  /** How many times it was open. */
  readonly times: number;
  readonly reminders: number;
  readonly toldMs: number;
  readonly phase: Phase;
}

/** When `sweepJob` has something to do with it; null: never. */
export function sweepDueMs({ phase, runs, reminders, toldMs }: Incident): number | null {
  if (phase.state === 'recovered') return phase.sinceMs + QUIET_MS;
  const afterMs = REMIND_AFTER_MS[reminders];
  return runs.length === 0 || afterMs === undefined ? null : toldMs + afterMs;
}

export function isReminderDue({ reminders, toldMs }: Incident, nowMs: number): boolean {
  const afterMs = REMIND_AFTER_MS[reminders];
  return afterMs !== undefined && nowMs >= toldMs + afterMs;
}

export function open(kind: IncidentKind, group: string, seen: Observation, nowMs: number): Incident {
  const { job, runKey, atMs } = seen;
  const id = createHash('sha256')
    .update(JSON.stringify([job, kind, group, nowMs]))
    .digest('hex');
  const cause = seen.cause.trim().slice(0, MAX_CAUSE_CHARS);
  return {
    id: `inc_${id.slice(0, 24)}`,
    job,
    kind,
    group,
    cause: group === OTHER ? `more than ${MAX_CAUSES} different causes; another one: ${cause}` : cause,
    openedMs: atMs,
    lastMs: atMs,
    lastRun: runKey,
    count: 1,
    runs: lasts(kind) ? [runKey] : [],
    times: 1,
    reminders: 0,
    toldMs: nowMs,
    phase: { state: 'open' },
  };
}

export function occurred(incident: Incident, { runKey, atMs }: Observation): Incident {
  return {
    ...incident,
    count: incident.count + 1,
    lastMs: Math.max(incident.lastMs, atMs),
    lastRun: runKey,
    runs: lasts(incident.kind)
      ? [...incident.runs.filter((run) => run !== runKey), runKey].slice(-MAX_RUNS)
      : [],
  };
}

function lasts(kind: IncidentKind): boolean {
  return kind === 'late' || kind === 'too_long';
}

/** What is told of an incident that has occurred once more. `former`: how it stood before. */
export function toldOf(
  former: Phase,
  incident: Incident,
  nowMs: number,
): { readonly next: Incident; readonly what: NoticeWhat | null } {
  const open = { state: 'open' } as const;
  if (former.state === 'recovered') {
    const back = { ...incident, phase: open, times: incident.times + 1 };
    // Who has not heard that it was over need not hear that it is back.
    if (former.told) return { next: { ...back, toldMs: nowMs }, what: 'opened' };
    return remindedOf(back, nowMs);
  }
  return remindedOf(incident, nowMs);
}

function remindedOf(
  incident: Incident,
  nowMs: number,
): { readonly next: Incident; readonly what: 'reminder' | null } {
  if (!isReminderDue(incident, nowMs)) return { next: incident, what: null };
  return { next: { ...incident, reminders: incident.reminders + 1, toldMs: nowMs }, what: 'reminder' };
}

export function recovered(incident: Incident, nowMs: number): Incident {
  const phase = { state: 'recovered', sinceMs: nowMs, told: isRecoveryTold(incident) } as const;
  return { ...incident, runs: [], phase };
}

export function isRecoveryTold({ times }: Incident): boolean {
  return times < MAX_TOLD;
}

/** Who was told last heard that it is not over. */
export function isBelievedOpen({ phase }: Incident): boolean {
  return phase.state === 'open' || !phase.told;
}

/** @param incidents of one job and kind, at least one */
export function newsOf(what: NoticeWhat, incidents: readonly Incident[]): News {
  const [first] = incidents;
  if (first === undefined) throw new Error('news of nothing');
  const latest = incidents.reduce((a, b) => (b.lastMs >= a.lastMs ? b : a));
  return {
    what,
    kind: first.kind,
    group: first.group,
    causes: incidents.map(({ cause }) => cause),
    job: {
      job: first.job,
      incidents: incidents.map(({ id }) => id),
      count: incidents.reduce((sum, { count }) => sum + count, 0),
      sinceMs: Math.min(...incidents.map(({ openedMs }) => openedMs)),
      runKey: latest.lastRun,
    },
  };
}
