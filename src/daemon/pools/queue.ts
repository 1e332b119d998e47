import type { RunFile, RunKey } from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';

/** What queued runs may hold in memory together, in bytes of their requests. */
const QUEUE_BYTES = 256 << 20;

/** A run on its way to a zygote. */
export interface Launchable {
  readonly key: RunKey;
  readonly file: RunFile;
  readonly spec: StartSpec;
  /** About how much memory it holds. */
  readonly bytes: number;
}

/** Runs that wait for a zygote, in the order in which they came. */
export class RunQueue {
  readonly #runs = new Map<RunKey, Launchable>();
  #bytes = 0;
  /** Places that are promised to runs whose row is on its way to the disk. */
  #reserved = 0;

  get size(): number {
    return this.#runs.size;
  }

  /** Places that are taken or promised. */
  get taken(): number {
    return this.#runs.size + this.#reserved;
  }

  get isTooLarge(): boolean {
    return this.#bytes > QUEUE_BYTES;
  }

  reserve(): void {
    this.#reserved++;
  }

  /** The run that was promised a place has its row, or will have none. */
  settle(): void {
    this.#reserved--;
  }

  add(run: Launchable): void {
    this.#runs.set(run.key, run);
    this.#bytes += run.bytes;
  }

  /** False: it is not here. */
  remove(key: RunKey): boolean {
    this.#bytes -= this.#runs.get(key)?.bytes ?? 0;
    return this.#runs.delete(key);
  }

  [Symbol.iterator](): IterableIterator<Launchable> {
    return this.#runs.values();
  }
}
