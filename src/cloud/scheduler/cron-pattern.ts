// Cron patterns as times on a clock on the wall that nobody ever changes. What clocks that are changed make of them is
// decided in schedule.ts. Croner parses and computes; it is asked in UTC only, so that no rule of its own about
// transitions comes in.
import { Cron } from 'croner';
import { ScheduleError } from './error.ts';

const NICKNAMES: { readonly [name: string]: string } = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
const SECOND_MS = 1000;
/** Each hour, or each so many of them. */
const EVERY = /^\*(?:\/(\d+))?$/;

/** A pattern of five fields, or of six with seconds first (crontab(5) and its extensions: `L`, `W`, `#`, names). */
export class CronPattern {
  readonly text: string;
  /** The shortest time between two of an interval pattern, whose hour is a star, with a step or without; null: it names fixed times. */
  readonly stepMs: number | null;
  /** Without nicknames. */
  readonly #pattern: string;

  /** Throws ScheduleError. */
  constructor(text: string) {
    this.text = text.trim();
    const pattern = NICKNAMES[this.text.toLowerCase()] ?? this.text;
    const fields = pattern.split(/\s+/);
    if (fields.length !== 5 && fields.length !== 6) {
      throw new ScheduleError(
        `'${text}' has ${fields.length} field${fields.length === 1 ? '' : 's'}: a cron pattern has five (minute, hour, day of the month, month, day of the week), or six with seconds first`,
      );
    }
    this.#pattern = pattern;
    parsed(pattern, text);
    const every = EVERY.exec(fields.at(-4) ?? '');
    this.stepMs = every === null ? null : this.#step(Number(every[1] ?? 1), fields);
  }

  /** The first time on the wall at or after this one; null: there is none. Both as milliseconds, as if the wall were UTC. */
  atOrAfter(wallMs: number): number | null {
    return (
      parsed(this.#pattern, this.text)
        .nextRun(new Date(Math.ceil(wallMs / SECOND_MS) * SECOND_MS - SECOND_MS))
        ?.getTime() ?? null
    );
  }

  /** Minutes and seconds are the same in each hour: one hour, and the hours, say it all. */
  #step(hours: number, fields: readonly string[]): number {
    const daily = parse([...fields.slice(0, -3), '*', '*', '*'].join(' '), this.text);
    const times: number[] = [];
    let step = Number.POSITIVE_INFINITY;
    for (
      let at = daily.nextRun(new Date(-SECOND_MS));
      at !== null && at.getTime() < HOUR_MS;
      at = daily.nextRun(at)
    ) {
      step = Math.min(step, at.getTime() - (times.at(-1) ?? Number.NEGATIVE_INFINITY));
      times.push(at.getTime());
      if (step === SECOND_MS) return step;
    }
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
    const lastHour = Math.floor((DAY_HOURS - 1) / hours) * hours;
    const apart = Math.min(hours, DAY_HOURS - lastHour) * HOUR_MS;
    return Math.min(step, apart - span);
  }
}

/**
 * The patterns that were asked last. Croner's own object of one takes 83 KB (a table of 10,000 years), too much for each
 * of 100,000 schedules; to parse it anew takes 80 µs. So few, that those which are let go die young: with 500 of them
 * the heap grew to 550 MB before they were collected.
 */
const recent = new Map<string, Cron>();
const MAX_RECENT = 16;

function parsed(pattern: string, text: string): Cron {
  const known = recent.get(pattern);
  if (known !== undefined) recent.delete(pattern);
  const cron = known ?? parse(pattern, text);
  // To the end of the map's order: the first one has not been asked for longest.
  recent.set(pattern, cron);
  const [oldest] = recent.keys();
  if (recent.size > MAX_RECENT && oldest !== undefined) recent.delete(oldest);
  return cron;
}

function parse(pattern: string, text: string): Cron {
  try {
    return new Cron(pattern, { utcOffset: 0, paused: true });
  } catch (error) {
    throw new ScheduleError(
      `'${text}' is no cron pattern: ${(error as Error).message.replace(/^CronPattern: /, '')}`,
    );
  }
}
