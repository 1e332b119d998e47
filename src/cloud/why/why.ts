import type { InstancesView } from '../instances/index.ts';
import { hindrance, nextDue, nextWithin, type Timing } from '../scheduler/index.ts';
import type { JobPause, LedgerEntry, RunRecord, SkipReason } from '../store/index.ts';

export interface RunFacts {
  readonly run: RunRecord;
  /** What it waits for. */
  readonly waitsFor: string | null;
  readonly hostName: string | null;
}

/** What is known of a job, and of the time that is asked about. */
export interface Facts {
  readonly name: string;
  readonly nowMs: number;
  readonly createdMs: number;
  readonly deletedMs: number | null;
  readonly pause: JobPause | null;
  readonly pauseOfAll: JobPause | null;
  /** Of the definition that was in force at that time, or is now. */
  readonly timing: Timing;
  readonly schedule: readonly string[];
  /** Names of the jobs that it follows from. */
  readonly after: readonly string[];
  readonly instances: InstancesView | null;
  /** The fire at that time, or the latest one. */
  readonly fire: LedgerEntry | null;
  readonly run: RunFacts | null;
  /** Some of its other runs: those that have not ended, and the latest one. */
  readonly others: readonly RunFacts[];
  /** An instant as whoever asks reads it. */
  readonly time: (ms: number) => string;
}

const REASONS: Record<SkipReason, string> = {
  overlap: 'a run before it had not ended, and its overlap policy says skip',
  blackout: 'there is a blackout at that time',
  paused: 'it was paused',
  misfire: 'nobody was there to start it in time, and its misfire policy did not make up for it',
  outside: 'that time is outside of its start and end',
  limit: 'as many runs as may were waiting already',
  replaced: 'another run took its place',
  shadow: 'the job is a shadow: it is scheduled and written down, and nothing is run',
};

/** Why a job ran, or did not, at a time; without one: how it stands. A sentence each. Pure. */
export function explain(facts: Facts, atMs: number | null): string[] {
  return atMs === null ? present(facts) : past(facts, atMs);
}

function past(facts: Facts, atMs: number): string[] {
  const { name, fire, createdMs, deletedMs, nowMs, time } = facts;
  const at = time(atMs);
  if (fire !== null && fire.dueMs === atMs)
    return [`${name} was due at ${at}.`, ...ofFire(facts, fire), ...inTheWay(facts, fire)];
  if (atMs < createdMs) return [`${name} did not exist at ${at}: it was created at ${time(createdMs)}.`];
  if (deletedMs !== null && atMs >= deletedMs)
    return [`${name} did not exist any more at ${at}: it was deleted at ${time(deletedMs)}.`];
  const isDue = nextDue(facts.timing, atMs) === atMs;
  if (isDue && atMs > nowMs)
    return [`${name} will be due at ${at}.`, ...pausesOf(facts), ...forecast(facts, atMs)];
  if (isDue)
    return [
      `${name} was due at ${at}, and nothing has been decided about it yet.`,
      'The scheduler writes down every due time as soon as it gets to it: it is behind, or nobody leads (rocksy top).',
    ];
  return [`${name} was not due at ${at}.`, ...scheduleOf(facts), ...neighbours(facts, atMs)];
}

function forecast({ timing, pause, pauseOfAll }: Facts, atMs: number): string[] {
  const reason = hindrance(timing, atMs);
  if (reason !== null) return [`It will be skipped: ${REASONS[reason]}.`];
  const isPaused = [pause, pauseOfAll].some(
    (each) => each !== null && (each.untilMs === null || each.untilMs > atMs),
  );
  return isPaused ? ['It will be skipped, unless that pause is ended before.'] : [];
}

function pausesOf({ pause, pauseOfAll, time }: Facts): string[] {
  const all = pauseOfAll === null ? [] : [`All jobs are paused: ${pausedText(pauseOfAll, time)}.`];
  return pause === null ? all : [...all, `It is paused: ${pausedText(pause, time)}.`];
}

function neighbours({ timing, nowMs, time }: Facts, atMs: number): string[] {
  const next = nextDue(timing, atMs);
  if (next === null) return [];
  return [`The next due time after that ${next > nowMs ? 'is' : 'was'} ${time(next)}.`];
}

function present(facts: Facts): string[] {
  const { name, deletedMs, timing, fire, nowMs, schedule, time } = facts;
  if (deletedMs !== null) return [`${name} was deleted at ${time(deletedMs)}.`];
  const lines = [...scheduleOf(facts), ...pausesOf(facts)];
  if (fire !== null) lines.push(`It was due last at ${time(fire.dueMs)}.`, ...ofFire(facts, fire));
  else if (schedule.length > 0) lines.push('It has not been due since it was created.');
  for (const other of facts.others) lines.push(...ofOther(facts, other));
  const next = nextWithin(timing, nowMs + 1);
  if (next !== null) lines.push(`It is due next at ${time(next)}.`, ...forecast(facts, next));
  else if (timing.endMs !== null && timing.endMs <= nowMs)
    lines.push(`Its end was at ${time(timing.endMs)}.`);
  return lines;
}

function scheduleOf({ name, schedule, after, instances, time }: Facts): string[] {
  const lines = instances === null ? [] : ofInstances(name, instances, time);
  if (after.length > 0)
    lines.push(
      `${name} runs when ${after.join(' and ')} ${after.length === 1 ? 'has' : 'have'} succeeded since it ran last.`,
    );
  if (schedule.length > 0) lines.push(`${name} is due by ${schedule.join(' and by ')}.`);
  if (lines.length === 0)
    lines.push(`${name} has no schedule: it runs when somebody, or another job, asks for it.`);
  return lines;
}

function ofInstances(name: string, view: InstancesView, time: Facts['time']): string[] {
  const { wanted, present, ending, backlog, backlog_error: error, slowed_until_ms: slowedMs } = view;
  const also = ending === 0 ? '' : `, and ${ending} more ${ending === 1 ? 'is' : 'are'} ending`;
  const lines = [`${name} has ${present} of ${wanted} instances that it is to have${also}.`];
  if (backlog !== null) lines.push(`Its backlog was ${backlog} at ${time(view.backlog_at_ms ?? 0)}.`);
  if (error !== null)
    lines.push(`Its backlog can't be read since ${time(view.backlog_failing_since_ms ?? 0)}: ${error}.`);
  if (slowedMs !== null)
    lines.push(`Its instances end as soon as they begin: none is started before ${time(slowedMs)}.`);
  return lines;
}

function ofFire(facts: Facts, { became, dueMs, decidedMs }: LedgerEntry): string[] {
  if (became.verdict === 'skipped') {
    const detail = became.detail === null ? '' : ` (${became.detail})`;
    return [`It was skipped: ${REASONS[became.reason]}${detail}.`];
  }
  const late = decidedMs - dueMs;
  const lines = [`It became the run ${became.runKey}${late > 1000 ? `, ${seconds(late)} late` : ''}.`];
  return facts.run === null
    ? [...lines, 'That run is forgotten by now (retention).']
    : [...lines, ...ofRun(facts, facts.run)];
}

/** Who has not ended, where a fire was skipped for that. */
function inTheWay(facts: Facts, { became, decidedMs }: LedgerEntry): string[] {
  if (became.verdict !== 'skipped' || (became.reason !== 'overlap' && became.reason !== 'limit')) return [];
  return facts.others
    .filter(({ run }) => run.state !== 'ended' && run.queuedMs <= decidedMs)
    .flatMap((each) => ofOther(facts, each));
}

function ofOther(facts: Facts, other: RunFacts): string[] {
  const { key, state, cause } = other.run;
  const by = cause.ref === null ? cause.kind : `${cause.kind} ${cause.ref}`;
  const which = state === 'ended' ? 'Its latest run is' : 'A run of it has not ended:';
  return [`${which} ${key} (${by}).`, ...ofRun(facts, other)];
}

/** How a run stands, and what it waits for. */
function ofRun({ time }: Pick<Facts, 'time'>, { run, waitsFor, hostName }: RunFacts): string[] {
  const where = hostName === null ? '' : ` on ${hostName}`;
  const cancelled = run.cancelRequestedBy === null ? '' : ` ${run.cancelRequestedBy} has asked to end it.`;
  switch (run.state) {
    case 'queued':
      return [`It waits since ${time(run.queuedMs)}${waitsFor === null ? '' : `: ${waitsFor}`}.${cancelled}`];
    case 'starting':
      return [`It is being started${where}.${cancelled}`];
    case 'running':
      return [`It runs${where} since ${time(run.startedMs ?? run.queuedMs)}.${cancelled}`];
    case 'unreachable':
      return [`Its host${where} is silent: what is true of it will be known when that is back.${cancelled}`];
    case 'ended':
      return [ending(run, where)];
  }
}

function ending(
  { outcome, code, signal, error, startedMs, endedMs, attempt }: RunRecord,
  where: string,
): string {
  const words = outcome?.replace('_', ' ') ?? 'ended';
  const how =
    outcome === 'failed' && code !== null ? ` (${code})` : outcome === 'killed' ? ` (${signal})` : '';
  const took = startedMs === null || endedMs === null ? '' : ` after ${seconds(endedMs - startedMs)}`;
  const attempts = attempt > 1 ? `, at attempt ${attempt}` : '';
  return `It ${words === 'lost' ? 'was lost' : words === 'killed' || words === 'cancelled' ? `was ${words}` : words}${how}${where}${took}${attempts}${error === null ? '' : `: ${error}`}.`;
}

function pausedText({ sinceMs, untilMs, reason }: JobPause, time: Facts['time']): string {
  const until = untilMs === null ? '' : ` until ${time(untilMs)}`;
  return `since ${time(sinceMs)}${until}${reason === null ? '' : ` (${reason})`}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
