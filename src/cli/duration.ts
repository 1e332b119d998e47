const UNIT_MS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/y;

/** `30s`, `5m`, `1h30m` as milliseconds; null when it is no duration. */
export function parseDuration(text: string): number | null {
  let total = 0;
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (part === null) return null;
    total += Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? 0);
    at = PART.lastIndex;
  }
  return at === 0 || !Number.isSafeInteger(Math.round(total)) ? null : Math.round(total);
}

/** A duration for people: the two largest units that matter. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return pair(seconds, 60, 'm', 1, 's');
  if (seconds < 86_400) return pair(seconds, 3600, 'h', 60, 'm');
  return pair(seconds, 86_400, 'd', 3600, 'h');
}

function pair(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small);
  return rest === 0
    ? `${Math.floor(seconds / large)}${largeName}`
    : `${Math.floor(seconds / large)}${largeName} ${rest}${smallName}`;
}

/**
 * A moment as milliseconds of the epoch: a duration before now (`10m`), a date and time (ISO 8601), or a time of day, which
 * is the last one there was on our clocks; null when it is none of these.
 */
export function parseMoment(text: string, nowMs: number): number | null {
  const ago = parseDuration(text);
  if (ago !== null) return Math.max(0, nowMs - ago);
  const today = parseTimeOfDay(text, nowMs);
  if (today !== null) return today > nowMs ? daysAfter(today, -1) : today;
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : date;
}

/** The same to come: `10m` from now, the next `06:00`. A date may have passed all the same. */
export function parseMomentToCome(text: string, nowMs: number): number | null {
  const inMs = parseDuration(text);
  if (inMs !== null) return nowMs + inMs;
  const today = parseTimeOfDay(text, nowMs);
  if (today !== null) return today > nowMs ? today : daysAfter(today, 1);
  return parseMoment(text, nowMs);
}

/** Today. */
function parseTimeOfDay(text: string, nowMs: number): number | null {
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  const [hour = 0, minute = 0, second = 0] = clock?.slice(1).map((part) => Number(part ?? 0)) ?? [];
  if (clock === null || hour > 23 || minute > 59 || second > 59) return null;
  return new Date(nowMs).setHours(hour, minute, second, 0);
}

/** On our clocks: a day is not always 24 hours. */
function daysAfter(ms: number, days: number): number {
  const date = new Date(ms);
  return date.setDate(date.getDate() + days);
}
