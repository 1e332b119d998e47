import { existsSync } from 'node:fs';

/** `missing`: needed and not there; `warn`: Rocksy works, but not as well as it could. */
export type Verdict = 'ok' | 'warn' | 'missing';

export interface Finding {
  readonly verdict: Verdict;
  readonly name: string;
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** How to get a Debian package here. */
export function install(...packages: readonly string[]): string {
  const names = packages.join(' ');
  if (!existsSync('/usr/bin/apt-get')) return `install the equivalent of Debian's ${names}`;
  return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install ${names}`;
}
