import { type Blackout, CronPattern, type Schedule, type Timing, Zone } from '../scheduler/index.ts';
import type { BlackoutDefinition, JobDefinition, ScheduleDefinition } from './definition.ts';

/** When a job is due, as its definition says it. */
export function timingOf({ schedule, start_ms, end_ms, blackout }: JobDefinition): Timing {
  return {
    schedules: schedule.map(scheduleOf),
    startMs: start_ms,
    endMs: end_ms,
    blackouts: blackout.map(blackoutOf),
  };
}

function scheduleOf(definition: ScheduleDefinition): Schedule {
  if ('cron' in definition) return cronOf(definition);
  if ('at_ms' in definition) return { kind: 'at', atMs: [definition.at_ms] };
  return { kind: 'every', everyMs: definition.every_ms, offsetMs: definition.offset_ms };
}

function blackoutOf(definition: BlackoutDefinition): Blackout {
  if ('cron' in definition)
    return { kind: 'recurring', schedule: cronOf(definition), lastingMs: definition.for_ms };
  return { kind: 'once', fromMs: definition.from_ms, untilMs: definition.to_ms };
}

function cronOf({ cron, timezone }: { readonly cron: string; readonly timezone: string }): Schedule {
  return { kind: 'cron', pattern: new CronPattern(cron), zone: Zone.of(timezone) };
}
