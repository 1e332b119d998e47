import type { Findings } from './findings.ts';
import type { KeyPath } from './problem.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

/** Beyond 2^31-1 ms a Node timer fires at once instead of late: nothing that is timed may be longer. */
export const longestTimerMs = parseDuration('24d');
const centuryMs = parseDuration('36500d');
const largestBytes = parseSize('1024TiB');

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** The ms of a duration that the schema has let through, within bounds. */
export function durationMs(text: string, path: KeyPath, findings: Findings, bounds: Bounds = {}): number {
  return within(parseDuration(text), path, findings, { max: centuryMs, ...bounds }, formatDuration);
}

/** The bytes of a size that the schema has let through, within bounds. */
export function sizeBytes(text: string, path: KeyPath, findings: Findings, bounds: Bounds = {}): number {
  return within(parseSize(text), path, findings, { max: largestBytes, ...bounds }, formatSize);
}

function within(
  amount: number,
  path: KeyPath,
  findings: Findings,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Bounds,
  format: (amount: number) => string,
): number {
  if (amount < min) findings.problem(path, `expected at least ${format(min)}`);
  if (amount > max) findings.problem(path, `expected at most ${format(max)}`);
  return amount;
}
