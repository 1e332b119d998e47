// When Cronicle starts an event: lists of what the clock has to show, all of which have to fit
// (docs/APIReference.md of Cronicle, "Event Timing Object").
import { type Static, Type } from 'typebox';
import type { RawJob } from '../jobs/index.ts';

function listOf(minimum: number, maximum: number) {
  return Type.Optional(Type.Array(Type.Integer({ minimum, maximum })));
}

export const cronicleTiming = Type.Object({
  years: listOf(1970, 9998),
  months: listOf(1, 12),
  days: listOf(1, 31),
  weekdays: listOf(0, 6),
  hours: listOf(0, 23),
  minutes: listOf(0, 59),
});
export type CronicleTiming = Static<typeof cronicleTiming>;

/** The keys that say the same in a job. */
export function timesOf(timing: CronicleTiming): Pick<RawJob, 'schedule' | 'start' | 'end' | 'blackout'> {
  return { schedule: patternOf(timing), ...yearsOf(timing.years ?? []) };
}

function patternOf({ minutes, hours, days, months, weekdays }: CronicleTiming): string {
  const day = fieldOf(days, 1, 31);
  const weekday = fieldOf(weekdays, 0, 6);
  // A plus makes both have to fit, as here they always do; cron asks for one of them.
  const and = day !== '*' && weekday !== '*' ? '+' : '';
  return [
    withSteps(minutes, 0, 59),
    withSteps(hours, 0, 23),
    day,
    fieldOf(months, 1, 12),
    `${and}${weekday}`,
  ].join(' ');
}

/** `*` with a step where that is all of the list: minutes 0, 15, 30 and 45 are those of every quarter. */
function withSteps(values: readonly number[] | undefined, from: number, to: number): string {
  const sorted = inOrder(values);
  const [first, second] = sorted;
  if (first !== from || second === undefined || second === from + 1) return fieldOf(sorted, from, to);
  const step = second - first;
  const isAll = sorted.length === Math.floor((to - from) / step) + 1;
  return isAll && sorted.every((value, i) => value === from + i * step)
    ? `*/${step}`
    : fieldOf(sorted, from, to);
}

/** Numbers and ranges; nothing and everything is a star. */
function fieldOf(values: readonly number[] | undefined, from: number, to: number): string {
  const sorted = inOrder(values);
  if (sorted.length === 0 || sorted.length === to - from + 1) return '*';
  return rangesOf(sorted)
    .map(([first, last]) => {
      if (first === last) return `${first}`;
      return last === first + 1 ? `${first},${last}` : `${first}-${last}`;
    })
    .join(',');
}

function inOrder(values: readonly number[] = []): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

function rangesOf(sorted: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const value of sorted) {
    const current = ranges.at(-1);
    if (current?.[1] === value - 1) current[1] = value;
    else ranges.push([value, value]);
  }
  return ranges;
}

/** A pattern has no years: it begins with the first of them, ends with the last, and those between are left out. */
function yearsOf(years: readonly number[]): Pick<RawJob, 'start' | 'end' | 'blackout'> {
  const ranges = rangesOf(inOrder(years));
  const [first] = ranges;
  const last = ranges.at(-1);
  if (first === undefined || last === undefined) return {};
  const gaps = ranges.slice(1).map(([begin], i) => ({
    from: newYear((ranges[i]?.[1] ?? begin) + 1),
    to: newYear(begin),
  }));
  return {
    start: newYear(first[0]),
    end: newYear(last[1] + 1),
    ...(gaps.length === 0 ? {} : { blackout: gaps }),
  };
}

function newYear(year: number): string {
  return `${year}-01-01T00:00`;
}
