import { forkInheriting, inheritPages } from '../../posix/index.ts';
import { around, END, mapped, type Range } from './address-space.ts';

/**
 * V8 marks its pages MADV_DONTFORK (V8_ENABLE_PRIVATE_MAPPING_FORK_OPTIMIZATION in src/base/platform/platform-posix.cc):
 * fine for a fork that is followed by an exec, the end of a child that wants to go on. Undone by a few madvise(2) over the
 * whole address space: the kernel skips holes and leaves mappings alone that are inherited already, so /proc/self/maps need
 * not be read each time.
 */
export class InheritedMemory {
  /** All of the address space but what can't be inherited. The first range is what V8 draws addresses from. */
  #ranges = this.#walk();

  /** fork(2), with all of this process's memory. The pid; 0 in the child. */
  fork(): number {
    this.extend();
    const [{ address, bytes }] = this.#ranges;
    return forkInheriting(address, bytes); // once more, as V8 may have taken a page meanwhile
  }

  extend(): void {
    if (this.#ranges.every(({ address, bytes }) => inheritPages(address, bytes))) return;
    this.#ranges = this.#walk(); // a new mapping of the kind that refuses
  }

  #walk(): [Range, ...Range[]] {
    const refusing = mapped().filter(({ address, bytes }) => address < END && !inheritPages(address, bytes));
    const [first, ...others] = around(refusing);
    if (first === undefined) throw new Error('no memory of this process can be inherited');
    return [first, ...others];
  }
}
