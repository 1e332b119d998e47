import { readFileSync } from 'node:fs';

export interface Range {
  readonly address: number;
  readonly bytes: number;
}

export interface Mapping extends Range {
  /** As in `rw-p`. */
  readonly access: string;
  /** Memory, rather than a file's. */
  readonly isAnonymous: boolean;
}

/** User space ends here, on x64 and on arm64 with 48 bits; what stands above ([vsyscall]) is nobody's. */
export const END = (process.arch === 'arm64' ? 2 ** 48 : 2 ** 47) - 4096;

/** What this process has mapped, in order. */
export function mapped(): Mapping[] {
  return mappings(readFileSync('/proc/self/maps', 'latin1'));
}

/** The lines of /proc/PID/maps. */
export function mappings(maps: string): Mapping[] {
  return [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)/gm)].map(
    ([, from = '', to = '', access = '', inode]) => {
      const address = Number.parseInt(from, 16);
      return { address, bytes: Number.parseInt(to, 16) - address, access, isAnonymous: inode === '0' };
    },
  );
}

/** What is left of the address space, between `from` and `end`, without these, which are in order. */
export function around(holes: readonly Range[], from = 0, end = END): Range[] {
  const ranges: Range[] = [];
  let at = from;
  for (const { address, bytes } of [...holes, { address: end, bytes: 0 }]) {
    const to = Math.min(address, end);
    if (to > at) ranges.push({ address: at, bytes: to - at });
    at = Math.max(at, address + bytes);
  }
  return ranges;
}
