// What the benchmark's stores hold: the same statements for both databases, made inside the database.
// A run's properties follow from its number by multiplication with odd constants: spread evenly, and the same each time.
import { specOf } from '../../src/cloud/dispatch/index.ts';
import { parseJobs } from '../../src/cloud/jobs/index.ts';

export const JOBS = 300;
export const PROJECTS = 20;
export const HOSTS = 50;
const SLOTS = 4_096;
export const DAY_MS = 86_400_000;
export const DAYS = 90;
/** Whose runs are all on the first few hosts, and on no other. */
export const PINNED_PROJECT = 'project-19';
/** The one with the most runs; never on the last ten hosts. */
export const BIG_JOB = 0;
/** Has never succeeded. */
export const BROKEN_JOB = 7;

export interface Slot {
  readonly slot: number;
  readonly job: string;
  readonly project: string;
  readonly hosts: number;
  readonly isBroken: boolean;
}

export function projectOf(job: number): string {
  return `project-${String(job % PROJECTS).padStart(2, '0')}`;
}

/** Of so many runs which job has which: the first the most, half as many the second, a third the third … */
export function slotsOf(ids: readonly string[]): Slot[] {
  const weights = ids.map((_id, job) => 1 / (job + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const slots: Slot[] = [];
  let sum = 0;
  for (const [job, id] of ids.entries()) {
    sum += weights[job] ?? 0;
    const project = projectOf(job);
    const hosts = project === PINNED_PROJECT ? 5 : job === BIG_JOB ? HOSTS - 10 : HOSTS;
    do slots.push({ slot: slots.length, job: id, project, hosts, isBroken: job === BROKEN_JOB });
    while (slots.length < (sum / total) * SLOTS && slots.length < SLOTS);
  }
  return slots.slice(0, SLOTS);
}

/** `i` from 0 to n - 1 as `u`, spread over 0 … 2^32 - 1. */
const spread = (factor: number): string => `((i * ${factor}) % 4294967296)`;

const JOB = `
jobs:
  report:
    class: App\\Job\\SendReport
    params: [12345, { customer: ACME, month: 2026-01 }]
    pool: web
    timeout: 1m
    retry: { failure: { max: 3, backoff: 1m } }
    labels: { zone: a }
`;
/** A server has to be able to go on with it. */
const SPEC = JSON.stringify(parseJobs(JOB, 'jobs.yaml').map((definition) => specOf(definition))[0]);

/** `numbers`: FROM item with a column `i`. `keyOf`: expression of a UUID as text, of `i`. */
export function insertRuns(numbers: string, keyOf: string, runs: number, firstMs: number): string {
  const stepMs = (DAYS * DAY_MS) / runs;
  return `
    INSERT INTO runs (key, job_id, job_version, project, pool, spec, cause, state, outcome, code, host_id, attempt, priority,
      queued_ms, due_ms, not_before_ms, started_ms, ended_ms, placement)
    SELECT key, job, 1, project, 'web', '${SPEC}', 'schedule', 'ended', outcome,
      CASE outcome WHEN 'succeeded' THEN 0 WHEN 'failed' THEN 1 END, host, 1, 0,
      queued_ms, queued_ms - 5, queued_ms, queued_ms + 20, queued_ms + 20 + took_ms, 'least loaded'
    FROM (
      SELECT ${keyOf} AS key, s.job, s.project, 'host-' || (${spread(2246822519)} / 64 % s.hosts) AS host,
        ${firstMs} + CAST(i * ${stepMs} AS bigint) AS queued_ms, ${spread(3266489917)} % 90000 AS took_ms,
        CASE WHEN s.broken = 1 OR o < 42949672 THEN 'failed' WHEN o < 47244640 THEN 'timed_out'
          WHEN o < 49392123 THEN 'cancelled' WHEN o < 49821620 THEN 'killed' WHEN o < 49864569 THEN 'lost'
          ELSE 'succeeded' END AS outcome
      FROM (SELECT i, ${spread(2654435761)} / 1048576 AS slot, ${spread(668265263)} AS o FROM ${numbers}) AS n
      JOIN slots AS s ON s.slot = n.slot
    ) AS r`;
}

/** Those that go on, one of a hundred, or wait. */
export function insertActive(numbers: string, keyOf: string, lastMs: number): string {
  return `
    INSERT INTO runs (key, job_id, job_version, project, pool, spec, cause, state, host_id, attempt, priority, queued_ms)
    SELECT ${keyOf}, s.job, 1, s.project, 'web', '${SPEC}', 'api', CASE WHEN i % 100 = 0 THEN 'running' ELSE 'queued' END,
      CASE WHEN i % 100 = 0 THEN 'host-' || (i / 100 % s.hosts) END, 1, 0, ${lastMs} - i
    FROM ${numbers} JOIN slots AS s ON s.slot = ${spread(2654435761)} / 1048576`;
}

export const INSERT_FIRES = `
  INSERT INTO fires (job_id, due_ms, decided_ms, version, verdict, run_key)
  SELECT job_id, due_ms, queued_ms, 1, 'run', key FROM runs WHERE state = 'ended'`;

export function insertAudit(numbers: string, firstMs: number): string {
  return `
    INSERT INTO audit (at_ms, who, what, target, detail)
    SELECT ${firstMs} + i, 'user-' || (i % 10), 'trigger', 'job ' || (i % 300), 'null' FROM ${numbers}`;
}
