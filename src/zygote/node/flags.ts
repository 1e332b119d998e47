/**
 * What makes a Node process one that can be forked: a child has the forking thread only, so nothing may depend on another.
 *  - V8 collects garbage and compiles in the main thread, and posts nothing to the platform's threads, where a child would
 *    wait for it for ever: --single-threaded in src/flags/flag-definitions.h of V8;
 *  - one platform thread, as it can't be none; it sleeps;
 *  - no thread that waits for SIGUSR1 to start an inspector.
 */
export const FORK_FLAGS: readonly string[] = [
  '--single-threaded',
  '--v8-pool-size=1',
  '--disable-sigusr1',
  '--enable-source-maps',
];

/** malloc(3) on transparent huge pages: a fork copies one entry for 2 MiB rather than 512 (glibc.malloc.hugetlb, glibc 2.35). */
export const FORK_ENVIRONMENT: Readonly<Record<string, string>> = {
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
};
