import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { BOOTSTRAP, OPCACHE, type Site } from '../support/site.ts';

/** What bench/original/bare.php prints. */
interface Printed {
  readonly per_second: number;
  readonly cpu_ms: number;
  readonly parent_faults: number;
  readonly child_faults: number;
  readonly private_bytes: number;
  readonly lives_ns: readonly number[];
  readonly starts_ns: readonly number[];
}

export interface Bare {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly faults: number;
  readonly privateBytes: number;
  /** From before the fork to after the wait. */
  readonly livesMs: readonly number[];
  /** From before the fork to the child's first statement; one at a time. */
  readonly startsMs: readonly number[];
}

const PROGRAM = path.resolve(import.meta.dirname, '../original/bare.php');

/** fork + _exit + wait in a PHP process that has loaded the same framework: nothing can be faster. */
export function bareFork(
  site: Site,
  options: { readonly seconds: number; readonly atOnce: 1 | 2; readonly hugePages: boolean },
): Bare {
  const { seconds, atOnce, hugePages } = options;
  const text = execFileSync('php', [...OPCACHE, PROGRAM, BOOTSTRAP, String(seconds), String(atOnce)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    // The allocator's huge pages are what Rocksy starts its zygotes with: the limit gets them too.
    env: { ...process.env, SHOP_CACHE: site.forUs(), USE_ZEND_ALLOC_HUGE_PAGES: hugePages ? '1' : '0' },
  });
  const printed = JSON.parse(text) as Printed;
  const ms = (ns: number): number => ns / 1e6;
  return {
    perSecond: printed.per_second,
    cpuMs: printed.cpu_ms,
    faults: printed.parent_faults + printed.child_faults,
    privateBytes: printed.private_bytes,
    livesMs: printed.lives_ns.map(ms),
    startsMs: printed.starts_ns.map(ms),
  };
}
