import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { OwnWriting } from './own-writing.ts';

/** Without a change: whoever saves many files at once, or has them checked out, is done. */
const QUIET_MS = 100;
/** Nobody waits longer for that, however long files go on changing. */
const LONGEST_MS = 5_000;

/** What is reloaded, as this folder needs it. Nothing of it rejects. */
export interface Loads {
  readonly isLoading: boolean;
  /** Resolves when no load is under way, whoever asked for it; with whether the last one went well. */
  loaded(): Promise<boolean>;
  /** Resolves with whether the new code serves. */
  reload(files: readonly string[]): Promise<boolean>;
  /** Runs wait, for code that is about to be loaded; or no longer. */
  holdRuns(on: boolean): void;
  /** These files change each time that code is loaded, and are not followed while it is. */
  writesItself(files: readonly string[]): void;
}

/** Makes few reloads of many changes. From the first of them until the new code serves, or has failed, no run begins. */
export class Reloads {
  readonly #loads: Loads;
  readonly #changed = new Set<string>();
  /** The same, while code was being loaded that may be of before the change or of after it. */
  readonly #during = new Set<string>();
  readonly #ownWriting = new OwnWriting();
  #lastMs = 0;
  #work: Promise<void> | null = null;
  #isLoading = false;
  #isClosed = false;

  constructor(loads: Loads) {
    this.#loads = loads;
  }

  changed(file: string): void {
    if (this.#isClosed) return;
    (this.#isLoading || this.#loads.isLoading ? this.#during : this.#changed).add(file);
    this.#lastMs = performance.now();
    this.#loads.holdRuns(true);
    this.#work ??= this.#reload().finally(() => {
      this.#work = null;
      this.#loads.holdRuns(false);
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #reload(): Promise<void> {
    if (this.#loads.isLoading) await this.#follow(() => this.#loads.loaded());
    while (this.#changed.size > 0 && !this.#isClosed) {
      await this.#quiet();
      await this.#follow(() => {
        const files = [...this.#changed].sort();
        this.#changed.clear();
        return this.#loads.reload(files);
      });
    }
  }

  /** Afterwards `#changed` has what somebody has saved meanwhile. */
  async #follow(load: () => Promise<boolean>): Promise<void> {
    this.#isLoading = true;
    const isServing = await load();
    // Two turns: what was written before the load ended has been told by then.
    await nextTurn();
    await nextTurn();
    this.#isLoading = false;
    if (isServing) this.#ownWriting.forgetAllBut(this.#during);
    const { again, own } = this.#ownWriting.judge(this.#during);
    this.#during.clear();
    for (const file of again) this.#changed.add(file);
    if (own.length > 0) this.#loads.writesItself(own);
  }

  async #quiet(): Promise<void> {
    const begunMs = performance.now();
    for (;;) {
      const now = performance.now();
      const untilMs = Math.min(this.#lastMs + QUIET_MS, begunMs + LONGEST_MS);
      if (now >= untilMs) return;
      await wait(untilMs - now, undefined, { ref: false });
    }
  }
}
