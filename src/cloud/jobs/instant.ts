import type { Zone } from '../scheduler/index.ts';

const PARTS = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?(Z|[+-]\d{2}:\d{2})?$/;
const MINUTE_MS = 60_000;
/** No zone is farther from UTC. */
const FARTHEST_MS = 26 * 60 * MINUTE_MS;

/**
 * Milliseconds since the epoch of `2026-12-24T18:00`, which is a time on the clocks of `zone` unless it says by how much
 * it differs from UTC. What clocks leave out is the first instant after it; of what they show twice it is the first.
 * Null: there is no such day or time.
 */
export function parseInstant(text: string, zone: Zone): number | null {
  const parts = PARTS.exec(text);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const said = [year, month, day, hour, minute, second];
  const meant = new Date(wallMs);
  const is = [
    meant.getUTCFullYear(),
    meant.getUTCMonth() + 1,
    meant.getUTCDate(),
    meant.getUTCHours(),
    meant.getUTCMinutes(),
    meant.getUTCSeconds(),
  ];
  // 2026-02-30 would be March 2.
  if (said.some((value, i) => value !== is[i])) return null;
  const shift = parts[7];
  return shift === undefined ? onClocksOf(zone, wallMs) : wallMs - shiftMs(shift);
}

function shiftMs(shift: string): number {
  if (shift === 'Z') return 0;
  const [hours, minutes] = shift.slice(1).split(':').map(Number) as [number, number];
  return (shift.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS;
}

function onClocksOf(zone: Zone, wallMs: number): number {
  for (const { fromMs, untilMs, offsetMs } of zone.segmentsFrom(wallMs - FARTHEST_MS)) {
    if (wallMs < untilMs + offsetMs) return Math.max(fromMs, wallMs - offsetMs);
  }
  throw new Error('segments of time have no end');
}
