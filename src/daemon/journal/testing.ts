// What the tests of this folder share.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileOfKey, type JsonValue, type OutcomeName, parseKey, type RunKey } from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';
import type { Phase, Run } from '../runs/index.ts';
import { Journal, type JournalOptions } from './index.ts';

export function keyOf(text: string): RunKey {
  const key = parseKey(text);
  if (key === null) throw new Error(`not a key: ${text}`);
  return key;
}

export interface RunTraits {
  readonly pool?: string;
  readonly job?: string | null;
  readonly spec?: StartSpec;
  readonly queuedMs?: number;
  readonly phase?: Phase;
}

export function aRun(text: string, traits: RunTraits = {}): Run {
  const key = keyOf(text);
  const { pool = 'web', job = null, spec = { class: 'Report' }, queuedMs = 1000 } = traits;
  return {
    identity: { key, file: fileOfKey(key), pool, job, spec, queuedMs },
    phase: traits.phase ?? { state: 'queued' },
  };
}

export function inPhase(run: Run, phase: Phase): Run {
  return { identity: run.identity, phase };
}

export const RUNNING: Phase = { state: 'running', generation: 1, pid: 4711, startedMs: 1500 };

export function ended(at: { endedMs?: number; name?: OutcomeName; result?: JsonValue } = {}): Phase {
  const { endedMs = 2000, name = 'succeeded', result = null } = at;
  const usage = { cpuUserMs: 1.5, cpuSystemMs: 2, maxRssBytes: 1024 };
  return {
    state: 'ended',
    generation: 1,
    pid: 4711,
    startedMs: 1500,
    outcome: { name, code: 0, signal: null, error: null, result, endedMs, usage },
    progress: { percent: 40, text: 'half\u0000way' },
  };
}

export function emptyFolder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'rocksy-journal-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Opens a journal that is closed after the test. */
export async function openJournal(t: TestContext, options: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = await Journal.open({ dir: options.dir ?? emptyFolder(t), log: () => {}, ...options });
  t.after(() => journal.close());
  return journal;
}

/** Resolves as soon as the condition holds; looks again with every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
