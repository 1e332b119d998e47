import { readFileSync } from 'node:fs';
import { inheritPages } from '../../posix/index.ts';

export interface Range {
  readonly address: number;
  readonly bytes: number;
}

/** User space ends here on x64 and arm64 with 48 bits; what stands above ([vsyscall]) is nobody's to advise. */
const END = 2 ** 47 - 4096;

/**
 * V8 marks its pages MADV_DONTFORK (V8_ENABLE_PRIVATE_MAPPING_FORK_OPTIMIZATION in src/base/platform/platform-posix.cc):
 * fine for a fork that is followed by an exec, the end of a child that wants to go on. Undone by a few madvise(2) over the
 * whole address space: the kernel skips holes and leaves mappings alone that are inherited already, so neither
 * /proc/self/maps has to be read each time, nor anything allocated between this and the fork.
 */
export class InheritedMemory {
  /** All of the address space but what can't be inherited. */
  #ranges = this.#walk();

  /** To be called right before each fork. */
  extend(): void {
    if (this.#ranges.every(({ address, bytes }) => inheritPages(address, bytes))) return;
    this.#ranges = this.#walk(); // a new mapping of the kind that refuses
  }

  #walk(): Range[] {
    const refusing = mappings(readFileSync('/proc/self/maps', 'latin1')).filter(
      ({ address, bytes }) => address < END && !inheritPages(address, bytes),
    );
    return around(refusing);
  }
}

/** The lines of /proc/PID/maps. */
export function mappings(maps: string): Range[] {
  return [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) /gm)].map(([, from = '', to = '']) => {
    const address = Number.parseInt(from, 16);
    return { address, bytes: Number.parseInt(to, 16) - address };
  });
}

/** What is left of the address space without these, which are in order. */
export function around(holes: readonly Range[]): Range[] {
  const ranges: Range[] = [];
  let from = 0;
  for (const { address, bytes } of [...holes, { address: END, bytes: 0 }]) {
    if (address > from) ranges.push({ address: from, bytes: address - from });
    from = address + bytes;
  }
  return ranges;
}
