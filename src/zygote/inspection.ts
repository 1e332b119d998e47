import { type Descriptor, descriptors, tcpSocket, threads } from '../posix/index.ts';

/** Something in a zygote that its children can't share. */
export interface Finding {
  /** What `allow` in the configuration has to say to permit it. */
  readonly name: string;
  /** The sentence for the person who wrote the bootstrap. */
  readonly message: string;
}

const REMEDY = 'open it in run(), or close it at the end of the bootstrap';

/**
 * Looks into a zygote that has loaded its bootstrap: threads beyond the first, sockets beyond its own, files open for
 * writing. A child would share the connection or file with its siblings, and a thread does not come along.
 * @param own the descriptors that the zygote itself says it holds
 * @param knownThreads how many threads the runtime itself has
 */
export function inspect(pid: number, own: ReadonlySet<number>, knownThreads: number): Finding[] {
  const findings: Finding[] = [];
  const tasks = threads(pid);
  if (tasks.length > knownThreads) {
    const names = new Set(tasks.filter(({ tid }) => tid !== pid).map((task) => task.name));
    findings.push({
      name: 'threads',
      message: `the bootstrap left ${tasks.length - knownThreads} threads running (${[...names].join(', ')}); a fork takes none of them along: start them in run()`,
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
