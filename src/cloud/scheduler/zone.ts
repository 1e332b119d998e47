// Time zones as stretches of time in each of which the clocks have one offset from UTC. The tz database is that of
// the ICU in Node.
import { ScheduleError } from './error.ts';

const DAY_MS = 86_400_000;
/** A transition is looked for between two days with different offsets: no zone has had two of them in one day. */
const PROBE_MS = DAY_MS;
/** So many years of a zone are kept. Who computes farther ahead or back than that computes them anew. */
const KEPT_YEARS = 64;

/** A stretch of time with one offset: `fromMs` ≤ t < `untilMs`. It may also begin with a year, and not by a transition. */
export interface Segment {
  readonly fromMs: number;
  readonly untilMs: number;
  /** What the clocks show is UTC plus this. */
  readonly offsetMs: number;
  /** The offset until `fromMs`; the same where no clock was changed. */
  readonly formerOffsetMs: number;
}

/** More than the tz database has names; others are spellings of them and offsets. */
const KEPT_ZONES = 1000;
const zones = new Map<string, Zone>();

/** A time zone of the tz database, by its name (`Europe/Berlin`). */
export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #years = new Map<number, readonly Segment[]>();

  /** The same name gives the same object, mostly. Throws ScheduleError for a name that is not known. */
  static of(name: string): Zone {
    let zone = zones.get(name);
    if (zone === undefined) {
      zone = new Zone(name);
      const [oldest] = zones.keys();
      if (zones.size >= KEPT_ZONES && oldest !== undefined) zones.delete(oldest);
      zones.set(name, zone);
    }
    return zone;
  }

  private constructor(name: string) {
    this.name = name;
    this.#format = formatOf(name);
  }

  /** Milliseconds to be added to UTC at this instant. */
  offsetMs(instantMs: number): number {
    return this.segmentAt(instantMs).offsetMs;
  }

  segmentAt(instantMs: number): Segment {
    const year = new Date(instantMs).getUTCFullYear();
    const found = this.#yearly(year).find(({ untilMs }) => instantMs < untilMs);
    if (found === undefined) throw new RangeError(`not a time: ${instantMs}`);
    return found;
  }

  /** All stretches from the one on that holds this instant, without an end. */
  *segmentsFrom(instantMs: number): Generator<Segment, never> {
    for (let at = instantMs; ; ) {
      const segment = this.segmentAt(at);
      yield segment;
      at = segment.untilMs;
    }
  }

  #yearly(year: number): readonly Segment[] {
    let segments = this.#years.get(year);
    if (segments === undefined) {
      segments = this.#find(Date.UTC(year), Date.UTC(year + 1));
      const [oldest] = this.#years.keys();
      if (this.#years.size >= KEPT_YEARS && oldest !== undefined) this.#years.delete(oldest);
      this.#years.set(year, segments);
    }
    return segments;
  }

  #find(fromMs: number, untilMs: number): Segment[] {
    const segments: Segment[] = [];
    let begunMs = fromMs;
    let formerOffsetMs = this.#ask(fromMs - 1);
    let offsetMs = this.#ask(fromMs);
    for (let at = fromMs; at < untilMs; at += PROBE_MS) {
      const end = Math.min(at + PROBE_MS, untilMs - 1);
      const next = this.#ask(end);
      if (next === offsetMs) continue;
      const transitionMs = this.#transition(at, end, offsetMs);
      segments.push({ fromMs: begunMs, untilMs: transitionMs, offsetMs, formerOffsetMs });
      begunMs = transitionMs;
      formerOffsetMs = offsetMs;
      offsetMs = next;
    }
    segments.push({ fromMs: begunMs, untilMs, offsetMs, formerOffsetMs });
    return segments;
  }

  /** The first second at which the offset is another one. */
  #transition(beforeMs: number, afterMs: number, offsetMs: number): number {
    let before = Math.floor(beforeMs / 1000);
    let after = Math.ceil(afterMs / 1000);
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.#ask(middle * 1000) === offsetMs) before = middle;
      else after = middle;
    }
    return after * 1000;
  }

  #ask(instantMs: number): number {
    const second = Math.floor(instantMs / 1000) * 1000;
    const [month, day, year, hour, minute, seconds] = this.#format.format(second).match(/\d+/g) ?? [];
    const wall = Date.UTC(
      Number(year),
      Number(month) - 1,
      Number(day),
      Number(hour),
      Number(minute),
      Number(seconds),
    );
    return wall - second;
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ScheduleError(
      `there is no time zone '${timeZone}': it has to be a name of the tz database, such as Europe/Berlin or UTC`,
    );
  }
}
