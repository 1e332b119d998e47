import { spawnSync } from 'node:child_process';

/**
 * Milliseconds of the epoch with a fraction, to compare with PHP's microtime(true). Date.now() has whole
 * milliseconds only: wait for one to begin and carry on from there by the monotonic clock.
 */
export function preciseClock(): () => number {
  const now = Date.now();
  let tick = now;
  while (tick === now) tick = Date.now();
  const offset = tick - performance.now();
  return () => offset + performance.now();
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Milliseconds from the start of a fresh PHP to the first line of run(), for each of `count` runs. */
export function coldStarts(count: number, phpArguments: readonly string[], cache: string): number[] {
  const clock = preciseClock();
  return Array.from({ length: count }, () => {
    const asked = clock();
    const php = spawnSync('php', phpArguments, {
      encoding: 'utf8',
      env: { ...process.env, SHOP_CACHE: cache },
    });
    if (php.status !== 0)
      throw new Error(`php ${phpArguments.join(' ')} failed:\n${php.stdout}${php.stderr}`);
    return firstLine(JSON.parse(php.stdout)) - asked;
  });
}

/** The time that Shop\Job\FirstLine stamped. */
export function firstLine(result: unknown): number {
  if (typeof result === 'object' && result !== null && 'first_line_ms' in result)
    return Number(result.first_line_ms);
  throw new Error(`not a result of FirstLine: ${JSON.stringify(result)}`);
}
