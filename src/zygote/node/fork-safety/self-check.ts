import type { Workload } from './workload.ts';

/** Far more than any of them takes. */
const LIMIT_MS = 5_000;

/**
 * Runs the short ones in this process, one after the other. Throws an Error that names the one that failed, or did not end.
 * They are loaded here: a zygote that checks a child has no use for them itself.
 */
export async function selfCheck(): Promise<void> {
  const { shortOnes } = await import('./short.ts');
  await checkAll(shortOnes);
}

export async function checkAll(workloads: readonly Workload[], limitMs = LIMIT_MS): Promise<void> {
  for (const { name, run } of workloads) {
    try {
      await within(limitMs, run);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

async function within(limitMs: number, run: () => unknown): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`has not ended after ${limitMs} ms`)), limitMs);
  try {
    await Promise.race([run(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
