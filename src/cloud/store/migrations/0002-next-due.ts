import type { MigrationStep } from './step.ts';

/** When each job is due next, so that a leader that starts need not compute it of all of them. */
export const nextDue: MigrationStep = ({ roomy }) => [
  `CREATE TABLE next_due (
    job_id text PRIMARY KEY REFERENCES jobs (id),
    version integer NOT NULL,
    due_ms bigint,
    rules text NOT NULL
  )${roomy}`,
];
