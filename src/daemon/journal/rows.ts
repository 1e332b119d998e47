import type { SQLOutputValue } from 'node:sqlite';
import {
  type JsonValue,
  jsonDepth,
  MAX_JSON_DEPTH,
  parseObject,
  type RunFile,
  type RunKey,
} from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';
import type { Origin, Outcome, Phase, Run } from '../runs/index.ts';

/** A phase as it stands in the row of its run. */
export interface PhaseColumns {
  readonly state: Phase['state'];
  readonly endedMs: number | null;
  readonly phase: string;
  readonly result: string | null;
}

export interface RunColumns {
  readonly key: RunKey;
  readonly pool: string;
  readonly file: RunFile;
  readonly job: string | null;
  readonly log: string | null;
  /** NULL is `local`, as in all rows that were written before there was the column. */
  readonly origin: Exclude<Origin, 'local'> | null;
  readonly queuedMs: number;
  readonly spec: string;
  readonly stdin: string | null;
  readonly phase: PhaseColumns;
}

export type Row = Record<string, SQLOutputValue>;

export function columnsOfRun({ identity, phase }: Run): RunColumns {
  const { stdin, ...spec } = identity.spec;
  return {
    key: identity.key,
    pool: identity.pool,
    file: identity.file,
    job: identity.job,
    log: spec.log ?? null,
    origin: identity.origin === 'local' ? null : identity.origin,
    queuedMs: identity.queuedMs,
    spec: JSON.stringify(spec),
    // As JSON, which keeps NUL and lone surrogates; nobody needs it once the run has ended.
    stdin: stdin === undefined || phase.state === 'ended' ? null : JSON.stringify(stdin),
    phase: columnsOfPhase(phase),
  };
}

export function columnsOfPhase(phase: Phase): PhaseColumns {
  if (phase.state !== 'ended') {
    return { state: phase.state, endedMs: null, phase: JSON.stringify(phase), result: null };
  }
  const { outcome, result } = takeResult(phase.outcome);
  return {
    state: 'ended',
    endedMs: outcome.endedMs,
    phase: JSON.stringify({ ...phase, outcome }),
    result,
  };
}

/** A result that could not be read again must not keep the outcome from being written: it is left out, and said so. */
function takeResult(outcome: Outcome): { outcome: Outcome; result: string | null } {
  const without = { ...outcome, result: null };
  if (outcome.result === null) return { outcome: without, result: null };
  const result = resultText(outcome.result);
  if (result !== null) return { outcome: without, result };
  const error = outcome.error ?? `The result nests deeper than ${MAX_JSON_DEPTH} and was not kept`;
  return { outcome: { ...without, error }, result: null };
}

function resultText(result: JsonValue): string | null {
  try {
    const text = JSON.stringify({ result });
    return jsonDepth(text) > MAX_JSON_DEPTH ? null : text;
  } catch (error) {
    // JSON.stringify recurses: a few thousand levels are beyond its stack.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The run of a row with key, pool, file, job, origin, queued_ms, spec, phase, result and, if it was read, stdin. */
export function runOfRow(row: Row): Run {
  const spec = parseObject(text(row, 'spec')) as StartSpec;
  const stdin = optionalText(row, 'stdin');
  return {
    identity: {
      key: text(row, 'key') as RunKey,
      file: text(row, 'file') as RunFile,
      pool: text(row, 'pool'),
      job: optionalText(row, 'job'),
      // 'settled': the cloud has its outcome.
      origin: optionalText(row, 'origin') === null ? 'local' : 'cloud',
      spec: stdin === null ? spec : { ...spec, stdin: JSON.parse(stdin) as string },
      queuedMs: Number(row.queued_ms),
    },
    phase: phaseOf(text(row, 'phase'), optionalText(row, 'result')),
  };
}

function phaseOf(json: string, result: string | null): Phase {
  const phase = parseObject(json) as unknown as Phase;
  if (phase.state !== 'ended' || result === null) return phase;
  return { ...phase, outcome: { ...phase.outcome, result: parseObject(result).result ?? null } };
}

/** How much text a row brought: the measure of a page. */
export function rowChars(row: Row): number {
  let chars = 0;
  for (const value of Object.values(row)) if (typeof value === 'string') chars += value.length;
  return chars;
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string')
    throw new TypeError(`journal: ${column} is ${typeof value} where text was written`);
  return value;
}

function optionalText(row: Row, column: string): string | null {
  return row[column] === null || row[column] === undefined ? null : text(row, column);
}
