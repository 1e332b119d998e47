import os from 'node:os';
import type { RunView } from '../../wire/index.ts';
import { type Run, retcode } from './run.ts';

const SIGNAL_NAMES = new Map(
  Object.entries(os.constants.signals).map(([name, number]) => [number, name] as const),
);

/** The number of a signal by its name, with or without SIG, or by its number; null when there is no such signal. */
export function signalNumber(signal: string | number): number | null {
  if (typeof signal === 'number') return signal === 0 || SIGNAL_NAMES.has(signal) ? signal : null;
  if (/^\d+$/.test(signal)) return signalNumber(Number(signal));
  const name = signal.toUpperCase();
  const signals = os.constants.signals as Readonly<Record<string, number>>;
  return signals[name] ?? signals[`SIG${name}`] ?? null;
}

export function signalName(number: number): string {
  return SIGNAL_NAMES.get(number) ?? `SIG${number}`;
}

/** A run as answers show it (docs/wire.md). */
export function viewOf({ identity, phase }: Run): RunView {
  const outcome = phase.state === 'ended' ? phase.outcome : null;
  const begun = phase.state === 'running' || phase.state === 'ended' ? phase : null;
  return {
    key: identity.key,
    job: identity.job,
    pool: identity.pool,
    generation: phase.state === 'queued' ? null : phase.generation,
    class: identity.spec.class ?? null,
    argv: identity.spec.argv ?? null,
    state: phase.state,
    outcome: outcome?.name ?? null,
    code: outcome?.code ?? null,
    signal: outcome === null || outcome.signal === null ? null : signalName(outcome.signal),
    retcode: outcome === null ? null : retcode(outcome),
    error: outcome?.error ?? null,
    result: outcome?.result ?? null,
    progress: phase.state === 'ended' ? phase.progress : null,
    pid: begun?.pid ?? null,
    queued_ms: identity.queuedMs,
    started_ms: begun?.startedMs ?? null,
    ended_ms: outcome?.endedMs ?? null,
    cpu_user_ms: outcome?.usage?.cpuUserMs ?? null,
    cpu_system_ms: outcome?.usage?.cpuSystemMs ?? null,
    max_rss_bytes: outcome?.usage?.maxRssBytes ?? null,
  };
}
