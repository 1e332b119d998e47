import { type Descriptor, descriptors, type Thread, tcpSocket, threads } from '../posix/index.ts';
import type { RuntimeName } from './launcher.ts';

/** Something in a zygote that its children can't share. */
export interface Finding {
  /** What `allow` in the configuration has to say to permit it. */
  readonly name: string;
  /** The sentence for the person who wrote the bootstrap. */
  readonly message: string;
}

/**
 * Threads that Node has besides its main thread, as they are called in Node 24 and 26 (PlatformWorkerThread in
 * src/node_platform.cc, uv_thread_setname in libuv's src/threadpool.c; at most 15 bytes). One that sleeps has nothing to do.
 */
const NODE_THREADS = ['V8Worker', 'node-V8Worker', 'DelayedTaskSche', 'libuv-worker'];

/** Is this thread the runtime's own, and harmless for a fork? */
export function ownThreads(runtime: RuntimeName): (thread: Thread, pid: number) => boolean {
  return ({ tid, name, state }, pid) =>
    tid === pid || (runtime === 'node' && state === 'S' && NODE_THREADS.includes(name));
}

const REMEDY = 'open it in run(), or close it at the end of the bootstrap';

/**
 * Looks into a zygote that has loaded its bootstrap: threads beyond the first, sockets beyond its own, files open for
 * writing. A child would share the connection or file with its siblings, and a thread does not come along.
 * @param own the descriptors that the zygote itself says it holds
 * @param isOwnThread see ownThreads
 */
export function inspect(
  pid: number,
  own: ReadonlySet<number>,
  isOwnThread: ReturnType<typeof ownThreads>,
): Finding[] {
  const findings: Finding[] = [];
  const strange = threads(pid).filter((thread) => !isOwnThread(thread, pid));
  if (strange.length > 0) {
    const names = [...new Set(strange.map((thread) => thread.name))].join(', ');
    findings.push({
      name: 'threads',
      message: `the bootstrap left ${strange.length} threads running (${names}); a fork takes none of them along: start them in run()`,
    });
  }
  for (const descriptor of descriptors(pid)) {
    if (descriptor.fd <= 2 || own.has(descriptor.fd)) continue;
    const finding = lookAt(pid, descriptor);
    if (finding !== null) findings.push(finding);
  }
  return findings;
}

function lookAt(pid: number, { fd, target, access }: Descriptor): Finding | null {
  const socket = /^socket:\[(\d+)\]$/.exec(target);
  if (socket !== null) {
    const endpoint = tcpSocket(pid, Number(socket[1]))?.peer ?? null;
    const peer = endpoint === null ? null : `${endpoint.address}:${endpoint.port}`;
    const what = peer === null ? 'a socket' : `a TCP connection to ${peer}`;
    return {
      name: peer === null ? 'socket' : `tcp:${peer}`,
      message: `the bootstrap left ${what} open (descriptor ${fd}); ${REMEDY}`,
    };
  }
  if (
    target.startsWith('/') &&
    !target.startsWith('/dev/') &&
    !target.endsWith(' (deleted)') &&
    access !== 'read'
  ) {
    return {
      name: `file:${target}`,
      message: `the bootstrap left ${target} open for writing (descriptor ${fd}), a database file perhaps; ${REMEDY}`,
    };
  }
  return null;
}

/** What is left of the findings after the pool's `allow` list. An entry ending in `*` allows all that begin so. */
export function notAllowed(findings: readonly Finding[], allow: readonly string[]): Finding[] {
  const allowed = (name: string): boolean =>
    allow.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
  return findings.filter((finding) => !allowed(finding.name));
}
