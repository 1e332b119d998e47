// What cron says in the syslog of what it starts, `(USER) CMD (COMMAND)`: log_it() of Debian's cron and of cronie.
import { Zone } from '../scheduler/index.ts';

/** One start of a command by cron. */
export interface CronStart {
  readonly atMs: number;
  readonly user: string;
  /** As cron writes it: what is no printable ASCII is escaped. */
  readonly command: string;
}

export interface CronLogOptions {
  /** A time at or after the end of the log: RFC 3164 knows no years. */
  readonly nowMs: number;
  /** Of the clocks that the log was written by, where it does not say how far they are from UTC. */
  readonly timezone: string;
}

/** `Nov 28 05:10:01`, with or without a priority before it: RFC 3164, 4.1; journalctl -o short. */
const BSD = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d+)? /;
/** `2026-11-28T05:10:01.5+01:00`: rsyslog's own format, RFC 5424 behind its priority and version, journalctl -o short-iso. */
const ISO =
  /^(?:<\d{1,3}>1 )?(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{2}:?\d{2})? /;
/** `host CRON[123]: `, `host /usr/sbin/cron[1]: `, and `host CRON 123 - - ` of RFC 5424. */
const SENDER = /^\S+ (?:\S*\/)?(?:cron|crond)(?:\[\d+\])?(?:: | \S+ \S+ (?:-|\[.*?\]) )/i;
/** With a number of a process where cron was told to log it (cron -L 8). */
const START = /^\(([^()\s]+)\) CMD \((?:\[\d+\] )?(.*)\)\s*$/;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** A clock that is ahead of ours by so much at most: a later time is one of the year before. */
const AHEAD_MS = DAY_MS;
/** Between two leap days. */
const MAX_YEARS = 8;
/** Lines may be out of order by this much. Less than any change of clocks. */
const DISORDER_MS = 5 * MINUTE_MS;

/** All starts of the log in its order; other lines are passed over. Throws ScheduleError for an unknown time zone. */
export function* readCronLog(text: string, { nowMs, timezone }: CronLogOptions): Generator<CronStart, void> {
  const zone = Zone.of(timezone);
  let formerMs = Number.NEGATIVE_INFINITY;
  for (const [line] of text.matchAll(/[^\r\n]+/g)) {
    const time = timeOf(line);
    if (time === null) continue;
    const message = line.slice(time.length);
    const sender = SENDER.exec(message)?.[0];
    const [, user, command] = START.exec(message.slice(sender?.length ?? 0)) ?? [];
    if (sender === undefined || user === undefined || command === undefined) continue;
    const atMs = instantOf(time, zone, nowMs, formerMs);
    if (atMs === null) continue;
    formerMs = atMs;
    yield { atMs, user, command: command.trim() };
  }
}

interface Time {
  /** So much of the line is the time. */
  readonly length: number;
  readonly year: number | null;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  /** Since midnight. */
  readonly ms: number;
  /** From UTC; null: that of the zone. */
  readonly offsetMs: number | null;
}

function timeOf(line: string): Time | null {
  const bsd = BSD.exec(line);
  if (bsd !== null) {
    const [all, name = '', day, ...clock] = bsd;
    const month = MONTHS.indexOf(name);
    if (month < 0) return null;
    return {
      length: all.length,
      year: null,
      month,
      day: Number(day),
      ms: sinceMidnight(clock),
      offsetMs: null,
    };
  }
  const iso = ISO.exec(line);
  if (iso === null) return null;
  const [all, year, month, day, hour, minute, second, fraction = '', offset] = iso;
  return {
    length: all.length,
    year: Number(year),
    month: Number(month) - 1,
    day: Number(day),
    ms: sinceMidnight([hour, minute, second]) + Math.floor(Number(`0.${fraction || 0}`) * 1000),
    offsetMs: offset === undefined ? null : offsetOf(offset),
  };
}

function sinceMidnight([hour, minute, second]: readonly (string | undefined)[]): number {
  return ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
}

function offsetOf(text: string): number {
  if (text === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith('-') ? -minutes : minutes) * MINUTE_MS;
}

/** Null: there is no such day. */
function instantOf(time: Time, zone: Zone, nowMs: number, formerMs: number): number | null {
  const inYear = (year: number): number | null => {
    const midnight = new Date(Date.UTC(year, time.month, time.day));
    if (midnight.getUTCMonth() !== time.month || midnight.getUTCDate() !== time.day) return null;
    const wallMs = midnight.getTime() + time.ms;
    return time.offsetMs === null ? onClocksOf(zone, wallMs, formerMs) : wallMs - time.offsetMs;
  };
  if (time.year !== null) return inYear(time.year);
  const latest = new Date(nowMs + AHEAD_MS).getUTCFullYear() + 1;
  for (let year = latest; year > latest - MAX_YEARS - 2; year--) {
    const atMs = inYear(year);
    if (atMs !== null && atMs <= nowMs + AHEAD_MS) return atMs;
  }
  return null;
}

/** Of a time that clocks show twice it is the first that is not before the line above. */
function onClocksOf(zone: Zone, wallMs: number, formerMs: number): number {
  const offsets = [zone.offsetMs(wallMs - DAY_MS), zone.offsetMs(wallMs + DAY_MS)];
  const instants = offsets
    .map((offsetMs) => wallMs - offsetMs)
    .filter((atMs) => zone.offsetMs(atMs) === wallMs - atMs)
    .toSorted((a, b) => a - b);
  // What no clock shows can only be of one that was changed late.
  const [first = wallMs - (offsets[0] ?? 0), second = first] = instants;
  return first >= formerMs - DISORDER_MS ? first : second;
}
