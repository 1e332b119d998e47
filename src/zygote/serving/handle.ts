import type net from 'node:net';

/** libuv's side of a socket or a server. */
interface Handle {
  /** -1: closed. */
  readonly fd?: number;
  close(): void;
}

/** Node gives it no public name; null: it is closed. */
function handleOf(owner: net.Socket | net.Server): Handle | null {
  return (owner as { readonly _handle?: Handle | null })._handle ?? null;
}

export function descriptorOf(owner: net.Socket | net.Server): number | null {
  return handleOf(owner)?.fd ?? null;
}

/**
 * In a process that has come from this one by fork(2): close(2), which says nothing to the other side as long as the zygote
 * has its copy. Not by destroy(): what a stream does at its end takes longer than all else of a child that is the zygote's.
 */
export function letGo(owner: net.Socket | net.Server): void {
  handleOf(owner)?.close();
}
