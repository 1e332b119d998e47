/**
 * What makes a Node process one that can be forked: a child has the forking thread only, so nothing may depend on another.
 *  - V8 collects garbage and compiles in the main thread, and posts nothing to the platform's threads, where a child would
 *    wait for it for ever: --single-threaded in src/flags/flag-definitions.h of V8;
 *  - one platform thread, as it can't be none; it sleeps;
 *  - no thread that waits for SIGUSR1 to start an inspector.
 *
 * A loop that is running is replaced by quicker code without --maglev-osr only: from Maglev's, V8 gets to TurboFan's in
 * another thread and in no other way (CompileOptimizedOSRFromMaglev in src/runtime/runtime-compiler.cc), and such a loop
 * would take up to five times as long. Without Maglev in between, the main thread does it.
 *
 * And what makes it a warm one: V8 compiles a function when it is first called, and forgets it when it was not called for
 * some time, so each child would compile all that the bootstrap has loaded but not called. Compiled with its module, and
 * for good, it is there for all of them: of 3,000 functions, a job that calls 500 takes 2 ms rather than 20.
 */
export const FORK_FLAGS: readonly string[] = [
  '--single-threaded',
  '--v8-pool-size=1',
  '--disable-sigusr1',
  '--no-maglev-osr',
  '--no-lazy',
  '--no-flush-bytecode',
  '--enable-source-maps',
];

/** Of a process that is started for a run: all that it has in common with one that is forked. */
export const START_FLAGS: readonly string[] = ['--disable-sigusr1', '--enable-source-maps'];

/** From here on V8's scavenger posts a task to the platform's threads at each collection, --single-threaded or not. */
const FIRST_WITH_SCAVENGE_TASKS = 26;

/**
 * What a version needs besides. A task that is posted in a forked child is never run, and DrainTasks() at an empty event
 * loop, or at the end of a worker thread, waits for it for ever (docs/decisions/0013-node-26-collects-by-minor-ms.md).
 * V8's other collector of young objects posts none.
 */
export function flagsOf(version: string): readonly string[] {
  return majorOf(version) < FIRST_WITH_SCAVENGE_TASKS ? [] : ['--minor-ms'];
}

export function majorOf(version: string): number {
  return Number(/^v(\d+)\./.exec(version)?.[1]);
}

/** malloc(3) on transparent huge pages: a fork copies one entry for 2 MiB rather than 512 (glibc.malloc.hugetlb, glibc 2.35). */
export const FORK_ENVIRONMENT: Readonly<Record<string, string>> = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
};
