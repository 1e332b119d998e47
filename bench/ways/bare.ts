/** fork + _exit + wait, in a process that does nothing else: nothing can be faster. */
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

export interface BareOptions {
  readonly seconds: number;
  readonly atOnce: 1 | 2;
  readonly hugePages: boolean;
}

/** What bench/original/bare.php and bench/ways/fork.c print. */
interface Printed {
  readonly per_second: number;
  readonly cpu_ms: number;
  readonly parent_faults: number;
  readonly child_faults: number;
  readonly private_bytes: number;
  readonly lives_ns: readonly number[];
  readonly starts_ns: readonly number[];
}

export function parseBare(text: string): Bare {
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
