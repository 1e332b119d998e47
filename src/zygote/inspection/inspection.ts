import { descriptors, threads } from '../../posix/index.ts';
import type { Finding, HelloEvent } from '../contract.ts';
import type { RuntimeName } from '../launcher.ts';
import { describe, isOfThread } from './descriptors.ts';
import { ownThreads, strangeThreads } from './threads.ts';

/** Those that have a bootstrap. */
type Inspected = Exclude<RuntimeName, 'command'>;

/** What the hooks around the fork are called. */
const HOOKS: Readonly<Record<Inspected, readonly [before: string, after: string]>> = {
  php: ['beforeFork', 'afterFork'],
  node: ['beforeFork', 'afterFork'],
  python: ['before_fork', 'after_fork'],
};

/**
 * Looks into a zygote that has loaded its bootstrap: threads beyond the first, sockets beyond its own, files open for
 * writing. A child would share the connection or file with its siblings, and a thread does not come along. What the zygote
 * itself has found comes behind.
 * @param hello names the descriptors that the zygote itself holds, and what can't be seen from here
 */
export function inspect(
  pid: number,
  hello: Pick<HelloEvent, 'descriptors' | 'findings' | 'made_at'>,
  runtime: Inspected,
): Finding[] {
  const own = new Set(hello.descriptors);
  const isOwnThread = ownThreads(runtime);
  const [before, after] = HOOKS[runtime];
  const remedy = `open it in run(), or close it in ${before} and open it again in ${after}`;
  const strange = strangeThreads(threads(pid).filter((thread) => !isOwnThread(thread, pid)));
  const shared = descriptors(pid).flatMap((descriptor): Finding[] => {
    const { fd } = descriptor;
    if (fd <= 2 || own.has(fd) || (strange !== null && isOfThread(descriptor))) return [];
    const found = describe(pid, descriptor);
    if (found === null) return [];
    const { name, what, why } = found;
    const place = hello.made_at?.[fd];
    const where = [`descriptor ${fd}`, ...(place === undefined ? [] : [`made at ${place}`])].join(', ');
    const reason = why === '' ? '' : `: ${why}`;
    return [{ name, message: `the bootstrap left ${what} (${where})${reason}; ${remedy}` }];
  });
  return [...(strange === null ? [] : [strange]), ...shared, ...(hello.findings ?? [])];
}
