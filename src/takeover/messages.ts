// What keeper and worker say to each other over Node's IPC channel (JSON), and the manifest in the environment.

import type { ListenerOptions } from './options.ts';

/** Raised when old and new can no longer understand each other; new optional messages alone don't raise it. */
export const CHANNEL_VERSION = 1;

/** The environment variable with the Manifest as JSON. The worker removes it, so that no child of its has it. */
export const MANIFEST_VARIABLE = 'KEEPER_MANIFEST';

export interface Manifest {
  readonly v: typeof CHANNEL_VERSION;
  readonly keeperPid: number;
  /** The folder that the keeper has locked. */
  readonly lockDir: string;
  readonly listeners: readonly ManifestListener[];
  /** A seqpacket socket on which the keeper passes descriptors; a message of the channel says when, and what they are. */
  readonly descriptors: number;
  /** There is a predecessor that serves. Standard output and error are the keeper's ear; these are the real ones. */
  readonly successor?: { readonly stdout: number; readonly stderr: number };
}

export interface ManifestListener {
  readonly name: string;
  readonly kind: 'tcp' | 'unix';
  /** Where the worker finds the listening socket. */
  readonly fd: number;
  readonly backlog: number;
}

/** The signals that the keeper passes on. SIGTERM and SIGINT mean stop; the meaning of the others is the worker's. */
export const keeperSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const;
export type KeeperSignal = (typeof keeperSignals)[number];

export type ToKeeper =
  /** This worker serves. */
  | { readonly t: 'ready' }
  | { readonly t: 'stopping' }
  | { readonly t: 'acknowledge'; readonly ids: readonly number[] }
  /** A worker that serves asks to be replaced; a refusal is answered by `refused`, else there is nobody left to answer. */
  | { readonly t: 'takeover' }
  /** A worker that hands over could not, for this reason, and serves on. Null: the successor has died. */
  | { readonly t: 'thawed'; readonly reason: string | null }
  /** A successor has loaded everything and waits for what its predecessor has. */
  | { readonly t: 'prepared' }
  /** A worker that has not said `ready` names all the listeners that it wants; those that are there already stay as they are. */
  | { readonly t: 'listen'; readonly listeners: readonly ListenerOptions[] };

export type ToWorker =
  | { readonly t: 'signal'; readonly signal: KeeperSignal }
  | { readonly t: 'orphans'; readonly orphans: readonly Orphan[] }
  /** To the predecessor: two descriptors have been passed, for dispatches and for answers. */
  | { readonly t: 'hand-over'; readonly timeoutMs: number }
  /** To the successor: the other ends of the two. */
  | { readonly t: 'succeed' }
  /** To the successor: its predecessor is dead. */
  | { readonly t: 'alone' }
  /** There is no takeover. `output` is what the successor printed, as far as it was kept. */
  | { readonly t: 'refused'; readonly reason: string; readonly output: string }
  /** The answer to `listen`: the descriptors of these have been passed, or it could not be done. */
  | { readonly t: 'listening'; readonly names: readonly string[] }
  | { readonly t: 'not-listening'; readonly reason: string };

/** How a process ended that had lost its parent (a former worker, for example). */
export interface Orphan {
  /** Counts up for the life of the keeper; what acknowledgeOrphan() takes. */
  readonly id: number;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: tells this process from another with the same pid. Null: /proc did not say. */
  readonly startTime: number | null;
  /** Exactly one of `code` and `signal` (a number) is not null. */
  readonly code: number | null;
  readonly signal: number | null;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  readonly maxRssBytes: number;
  /** When it was reaped, in milliseconds of the epoch. */
  readonly endedMs: number;
}

export type Parsed<T> =
  | { readonly ok: true; readonly message: T }
  /** 'version': nothing it says can be relied on. 'unknown': of our version, but newer or broken; it is passed over. */
  | { readonly ok: false; readonly why: 'version' | 'unknown'; readonly reason: string };

export function envelope<T extends ToKeeper | ToWorker>(message: T): T & { v: typeof CHANNEL_VERSION } {
  return { v: CHANNEL_VERSION, ...message };
}

export function parseToKeeper(value: unknown): Parsed<ToKeeper> {
  const fields = opened(value);
  if (!fields.ok) return fields;
  const { t, ids, reason, listeners } = fields.message;
  if (t === 'ready' || t === 'stopping' || t === 'takeover' || t === 'prepared')
    return { ok: true, message: { t } };
  if (t === 'acknowledge' && Array.isArray(ids) && ids.every((id) => typeof id === 'number')) {
    return { ok: true, message: { t, ids } };
  }
  if (t === 'thawed' && (typeof reason === 'string' || reason === null))
    return { ok: true, message: { t, reason } };
  if (t === 'listen' && Array.isArray(listeners))
    return { ok: true, message: { t, listeners: listeners as ListenerOptions[] } };
  return unknown('the worker', 'this keeper', value);
}

export function parseToWorker(value: unknown): Parsed<ToWorker> {
  const fields = opened(value);
  if (!fields.ok) return fields;
  const { t, signal, orphans, timeoutMs, reason, output, names } = fields.message;
  if (t === 'succeed' || t === 'alone') return { ok: true, message: { t } };
  const known = keeperSignals.find((name) => name === signal);
  if (t === 'signal' && known !== undefined) return { ok: true, message: { t, signal: known } };
  if (t === 'orphans' && Array.isArray(orphans))
    return { ok: true, message: { t, orphans: orphans as Orphan[] } };
  if (t === 'hand-over' && typeof timeoutMs === 'number') return { ok: true, message: { t, timeoutMs } };
  if (t === 'refused' && typeof reason === 'string' && typeof output === 'string')
    return { ok: true, message: { t, reason, output } };
  if (t === 'listening' && Array.isArray(names))
    return { ok: true, message: { t, names: names as string[] } };
  if (t === 'not-listening' && typeof reason === 'string') return { ok: true, message: { t, reason } };
  return unknown('the keeper', 'this worker', value);
}

function unknown(from: string, to: string, value: unknown): Parsed<never> {
  return {
    ok: false,
    why: 'unknown',
    reason: `${from} sent a message that ${to} does not know: ${JSON.stringify(value)}`,
  };
}

export function parseManifest(text: string): Parsed<Manifest> {
  const fields = opened(JSON.parse(text));
  return fields.ok ? { ok: true, message: fields.message as unknown as Manifest } : fields;
}

interface Fields {
  readonly v?: unknown;
  readonly t?: unknown;
  readonly ids?: unknown;
  readonly signal?: unknown;
  readonly orphans?: unknown;
  readonly timeoutMs?: unknown;
  readonly reason?: unknown;
  readonly output?: unknown;
  readonly names?: unknown;
  readonly listeners?: unknown;
}

function opened(value: unknown): Parsed<Fields> {
  if (typeof value !== 'object' || value === null) {
    return {
      ok: false,
      why: 'unknown',
      reason: `not a message of the keeper's channel: ${JSON.stringify(value)}`,
    };
  }
  const fields = value as Fields;
  if (fields.v === CHANNEL_VERSION) return { ok: true, message: fields };
  return {
    ok: false,
    why: 'version',
    reason: `the other side speaks version ${JSON.stringify(fields.v)} of the keeper's channel, this side version ${CHANNEL_VERSION}: stop and start the service, so that both are of one release`,
  };
}
