/** A process that has not died of SIGKILL by then (uninterruptible sleep, another user's) is waited for no longer. */
export const GIVE_UP_MS = 2000;

/**
 * The processes that ended runs have left behind: children of the zygote that it did not start. All are killed; a run
 * has ended only when none is left. Pure: it is told what there is and what time it is, and says what to do.
 */
export class Leftovers<Run> {
  /** When each was seen first, which is when it was killed. */
  readonly #seen = new Map<number, number>();
  readonly #waiting = new Map<Run, number>();

  /** The main process of this run has been reaped. */
  await(run: Run, nowMs: number): void {
    this.#waiting.set(run, nowMs);
  }

  /** Its pid may come back as somebody else's. */
  reaped(pid: number): void {
    this.#seen.delete(pid);
  }

  /**
   * @param strangers every child of the zygote that it did not start
   * @returns whom to kill now, which runs are over, and when to look again at the latest
   */
  look(
    strangers: readonly number[],
    nowMs: number,
  ): { readonly kill: number[]; readonly over: Run[]; readonly againInMs: number | null } {
    const kill = strangers.filter((pid) => !this.#seen.has(pid));
    for (const pid of kill) this.#seen.set(pid, nowMs);

    const givenUp = (since: number): boolean => nowMs - since >= GIVE_UP_MS;
    const expected = [...this.#seen.values()].filter((since) => !givenUp(since));
    const over = [...this.#waiting].flatMap(([run, since]) =>
      expected.length === 0 || givenUp(since) ? [run] : [],
    );
    for (const run of over) this.#waiting.delete(run);
    if (this.#waiting.size === 0) return { kill, over, againInMs: null };
    const next = Math.min(Math.max(...expected), ...this.#waiting.values());
    return { kill, over, againInMs: next + GIVE_UP_MS - nowMs };
  }
}
