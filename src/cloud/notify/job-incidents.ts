import { fingerprintOf } from './cause.ts';
import {
  type Incident,
  isBelievedOpen,
  isRecoveryTold,
  isReminderDue,
  MAX_CAUSES,
  newsOf,
  OTHER,
  occurred,
  open,
  QUIET_MS,
  recovered,
  toldOf,
} from './incident.ts';
import type { News } from './notice.ts';
import { INCIDENT_KINDS, type IncidentKind, type Observation } from './observation.ts';

export interface JobStep {
  readonly incidents: readonly Incident[];
  readonly news: readonly News[];
}

/**
 * The incidents of one job after an observation.
 * @param incidents all of this job, and of no other one
 * @param nowMs when it is known: reminders and pauses go by that, while `atMs` is only shown
 */
export function observeJob(incidents: readonly Incident[], seen: Observation, nowMs: number): JobStep {
  const before = sweepJob(incidents, nowMs);
  const after = change(before.incidents, seen, nowMs);
  return { incidents: after.incidents, news: [...before.news, ...after.news] };
}

function change(incidents: readonly Incident[], seen: Observation, nowMs: number): JobStep {
  switch (seen.kind) {
    case 'failed':
      return inTurn(
        incidents,
        (each) => runOver(each, ['late', 'too_long'], seen.runKey, nowMs),
        // It has failed, but it did run.
        (each) => over(each, ['missed'], nowMs),
        (each) => occur(each, 'failed', seen, nowMs),
      );
    case 'succeeded':
      return inTurn(
        incidents,
        (each) => runOver(each, ['late', 'too_long'], seen.runKey, nowMs),
        (each) => over(each, ['missed', 'failed'], nowMs),
      );
    case 'late':
    case 'missed':
    case 'too_long':
      return occur(incidents, seen.kind, seen, nowMs);
    case 'missed_over':
      return over(incidents, ['missed'], nowMs);
    case 'late_over':
      return seen.runKey === null
        ? over(incidents, ['late'], nowMs)
        : runOver(incidents, ['late'], seen.runKey, nowMs);
    case 'too_long_over':
      return seen.runKey === null
        ? over(incidents, ['too_long'], nowMs)
        : runOver(incidents, ['too_long'], seen.runKey, nowMs);
    case 'removed':
      return { incidents: [], news: newsByKind(incidents.filter(isBelievedOpen), INCIDENT_KINDS) };
  }
}

/** What time alone brings: reminders of what lasts, and the end of what has been quiet for long. */
export function sweepJob(incidents: readonly Incident[], nowMs: number): JobStep {
  const kept: Incident[] = [];
  const news: News[] = [];
  for (const incident of incidents) {
    const { phase } = incident;
    if (phase.state === 'recovered' && nowMs >= phase.sinceMs + QUIET_MS) {
      if (!phase.told) news.push(newsOf('recovered', [incident]));
    } else if (phase.state === 'open' && incident.runs.length > 0 && isReminderDue(incident, nowMs)) {
      const reminded = { ...incident, reminders: incident.reminders + 1, toldMs: nowMs };
      news.push(newsOf('reminder', [reminded]));
      kept.push(reminded);
    } else kept.push(incident);
  }
  return { incidents: kept, news };
}

function occur(
  incidents: readonly Incident[],
  kind: IncidentKind,
  seen: Observation,
  nowMs: number,
): JobStep {
  const group = groupOf(incidents, kind, fingerprintOf(seen.cause));
  const known = incidents.find((each) => each.kind === kind && each.group === group);
  if (known === undefined) {
    const opened = open(kind, group, seen, nowMs);
    return { incidents: [...incidents, opened], news: [newsOf('opened', [opened])] };
  }
  const again = occurred(known, seen);
  const { next, what } = toldOf(known.phase, again, nowMs);
  return {
    incidents: incidents.map((each) => (each === known ? next : each)),
    news: what === null ? [] : [newsOf(what, [next])],
  };
}

function groupOf(incidents: readonly Incident[], kind: IncidentKind, fingerprint: string): string {
  const groups = incidents.filter((each) => each.kind === kind).map(({ group }) => group);
  return groups.includes(fingerprint) || groups.length < MAX_CAUSES ? fingerprint : OTHER;
}

/** A run is neither late nor too long any more; the incident is over when it was the last of those. */
function runOver(
  incidents: readonly Incident[],
  kinds: readonly IncidentKind[],
  runKey: string | null,
  nowMs: number,
): JobStep {
  const without = incidents.map((each) =>
    kinds.includes(each.kind) && each.runs.includes(runKey)
      ? { ...each, runs: each.runs.filter((run) => run !== runKey) }
      : each,
  );
  return over(without, kinds, nowMs, ({ runs }) => runs.length === 0);
}

/** Open incidents of these kinds are over; for each kind one piece of news. */
function over(
  incidents: readonly Incident[],
  kinds: readonly IncidentKind[],
  nowMs: number,
  which: (incident: Incident) => boolean = () => true,
): JobStep {
  const ends = (each: Incident) => each.phase.state === 'open' && kinds.includes(each.kind) && which(each);
  const ending = incidents.filter(ends);
  if (ending.length === 0) return { incidents, news: [] };
  return {
    incidents: incidents.map((each) => (ends(each) ? recovered(each, nowMs) : each)),
    news: newsByKind(ending.filter(isRecoveryTold), kinds),
  };
}

/** That they are over: all of a kind together. */
function newsByKind(incidents: readonly Incident[], kinds: readonly IncidentKind[]): News[] {
  return kinds
    .map((kind) => incidents.filter((each) => each.kind === kind))
    .filter((ofKind) => ofKind.length > 0)
    .map((ofKind) => newsOf('recovered', ofKind));
}

function inTurn(
  incidents: readonly Incident[],
  ...steps: readonly ((incidents: readonly Incident[]) => JobStep)[]
): JobStep {
  const news: News[] = [];
  let present = incidents;
  for (const step of steps) {
    const next = step(present);
    present = next.incidents;
    news.push(...next.news);
  }
  return { incidents: present, news };
}
