import type net from 'node:net';

/** libuv's side of a socket or a server. */
interface Handle {
  /** Below 0: it is closed, or about to be. */
  readonly fd?: number;
  close(): void;
}

/** Node gives it no public name; null: it is closed. */
function handleOf(owner: net.Socket | net.Server): Handle | null {
  return (owner as { readonly _handle?: Handle | null })._handle ?? null;
}

export function descriptorOf(owner: net.Socket | net.Server): number | null {
  const fd = handleOf(owner)?.fd ?? -1;
  return fd < 0 ? null : fd;
}

/**
 * In a process that has come from this one by fork(2): close(2), which says nothing to the other side as long as the zygote
 * has its copy. Not by destroy(): all that a stream does at its end would take each child 0.3 ms more.
 */
export function letGo(owner: net.Socket | net.Server): void {
  handleOf(owner)?.close();
}
