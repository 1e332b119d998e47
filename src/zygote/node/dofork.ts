import { inheritPages } from '../../posix/index.ts';
import { around, END, mapped, type Range } from './address-space.ts';

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
    const refusing = mapped().filter(({ address, bytes }) => address < END && !inheritPages(address, bytes));
    return around(refusing);
  }
}
