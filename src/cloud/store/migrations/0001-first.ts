import type { MigrationStep } from './step.ts';

/** The first schema. Of partial indexes the condition is written in queries as it stands here, or SQLite can't see that they fit. */
export const first: MigrationStep = ({ generatedId, roomy }) => [
  `CREATE TABLE projects (name text PRIMARY KEY, created_ms bigint NOT NULL)`,

  `CREATE TABLE jobs (
    id text PRIMARY KEY,
    project text NOT NULL REFERENCES projects (name),
    name text NOT NULL,
    search text NOT NULL,
    version integer NOT NULL,
    definition text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    deleted_ms bigint,
    paused_since_ms bigint,
    paused_until_ms bigint,
    pause_reason text
  )`,
  `CREATE UNIQUE INDEX jobs_name ON jobs (project, name) WHERE deleted_ms IS NULL`,
  `CREATE INDEX jobs_former ON jobs (project, name, created_ms) WHERE deleted_ms IS NOT NULL`,

  `CREATE TABLE job_versions (
    job_id text NOT NULL REFERENCES jobs (id),
    version integer NOT NULL,
    definition text NOT NULL,
    applied_by text NOT NULL,
    applied_ms bigint NOT NULL,
    PRIMARY KEY (job_id, version)
  )`,

  `CREATE TABLE fires (
    job_id text NOT NULL REFERENCES jobs (id),
    due_ms bigint NOT NULL,
    decided_ms bigint NOT NULL,
    version integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('run', 'skipped')),
    reason text,
    detail text,
    run_key text,
    PRIMARY KEY (job_id, due_ms),
    CHECK ((verdict = 'run') = (reason IS NULL))
  )`,
  `CREATE INDEX fires_due ON fires (due_ms, job_id)`,

  `CREATE TABLE hosts (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    incarnation bigint NOT NULL,
    labels text NOT NULL,
    capacity integer NOT NULL,
    created_ms bigint NOT NULL,
    cordoned_ms bigint,
    draining_ms bigint,
    last_seen_ms bigint,
    boot_id text NOT NULL,
    facts text NOT NULL,
    credential_hash text NOT NULL UNIQUE
  )`,
  `CREATE TABLE join_tokens (
    hash text PRIMARY KEY,
    created_ms bigint NOT NULL,
    created_by text NOT NULL,
    expires_ms bigint NOT NULL,
    used_ms bigint,
    host_id text
  )`,

  `CREATE TABLE runs (
    key text PRIMARY KEY,
    job_id text REFERENCES jobs (id),
    job_version integer,
    project text NOT NULL,
    pool text NOT NULL,
    spec text NOT NULL,
    cause text NOT NULL,
    cause_ref text,
    state text NOT NULL CHECK (state IN ('queued', 'starting', 'running', 'unreachable', 'ended')),
    outcome text,
    code integer,
    signal text,
    error text,
    result text,
    host_id text,
    attempt integer NOT NULL,
    made text,
    priority integer NOT NULL,
    queued_ms bigint NOT NULL,
    due_ms bigint,
    not_before_ms bigint,
    started_ms bigint,
    ended_ms bigint,
    cancel_requested_ms bigint,
    cancel_requested_by text,
    placement text,
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_ms IS NOT NULL))
  )${roomy}`,
  // Each index costs every write. A run that has not ended is in the first one only, which is walked as a whole and has
  // what they are searched by; in the others it is written once, at its end. None has the state: so a run that begins to
  // run changes no index, and where there is room beside the row, PostgreSQL writes nothing else
  // (https://www.postgresql.org/docs/current/storage-hot.html).
  `CREATE INDEX runs_active ON runs (queued_ms, key, project, job_id, host_id) WHERE ended_ms IS NULL`,
  // Lists, newest first: of all, of a project, of a job, of a host, of a project or a job on a host.
  `CREATE INDEX runs_age ON runs (queued_ms, key) WHERE ended_ms IS NOT NULL`,
  `CREATE INDEX runs_project ON runs (project, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  `CREATE INDEX runs_job ON runs (job_id, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  `CREATE INDEX runs_host ON runs (host_id, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  `CREATE INDEX runs_host_project ON runs (host_id, project, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  `CREATE INDEX runs_host_job ON runs (host_id, job_id, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  // The same by outcome: of those that did not succeed, which are few, and of a job all (when has it succeeded last?).
  // Whoever looks for success elsewhere finds it among the first of the lists above.
  `CREATE INDEX runs_outcome ON runs (outcome, queued_ms, key) WHERE outcome <> 'succeeded'`,
  `CREATE INDEX runs_project_outcome ON runs (project, outcome, queued_ms, key) WHERE outcome <> 'succeeded'`,
  // That of a host has job and project behind: what never failed there is not looked for row by row.
  `CREATE INDEX runs_host_outcome ON runs (host_id, outcome, queued_ms, key, job_id, project) WHERE outcome <> 'succeeded'`,
  `CREATE INDEX runs_job_outcome ON runs (job_id, outcome, queued_ms, key) WHERE ended_ms IS NOT NULL`,
  // Retention, and counts of what ended of late.
  `CREATE INDEX runs_ended ON runs (ended_ms, key, outcome) WHERE ended_ms IS NOT NULL`,

  // Of a job that follows from several others: those that have succeeded since it was started last.
  `CREATE TABLE arrivals (
    job_id text NOT NULL REFERENCES jobs (id),
    parent text NOT NULL,
    result text NOT NULL,
    PRIMARY KEY (job_id, parent)
  )`,

  // Attempts that ended and were followed by another one: the last one is the run's own row.
  `CREATE TABLE attempts (
    run_key text NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    attempt integer NOT NULL,
    host_id text NOT NULL,
    wire_key text NOT NULL UNIQUE,
    started_ms bigint,
    ended_ms bigint NOT NULL,
    outcome text NOT NULL,
    code integer,
    signal text,
    error text,
    PRIMARY KEY (run_key, attempt)
  )`,

  `CREATE TABLE tokens (
    id text PRIMARY KEY,
    name text NOT NULL,
    hash text NOT NULL UNIQUE,
    role text NOT NULL,
    project text,
    created_ms bigint NOT NULL,
    last_used_ms bigint,
    revoked_ms bigint
  )`,

  `CREATE TABLE audit (
    id ${generatedId},
    at_ms bigint NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    target text NOT NULL,
    detail text NOT NULL
  )`,
  `CREATE INDEX audit_target ON audit (target, id)`,
  `CREATE INDEX audit_who ON audit (who, id)`,

  // What changed with one commit, in one row.
  `CREATE TABLE events (
    id ${generatedId},
    at_ms bigint NOT NULL,
    data text NOT NULL
  )`,

  `CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    epoch bigint NOT NULL,
    expires_ms bigint NOT NULL
  )`,

  `CREATE TABLE idempotency_keys (
    key text PRIMARY KEY,
    request_hash text NOT NULL,
    answer text,
    expires_ms bigint NOT NULL
  )`,
  `CREATE INDEX idempotency_keys_age ON idempotency_keys (expires_ms)`,

  `CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL)`,

  `CREATE TABLE incidents (
    id text PRIMARY KEY,
    job text NOT NULL,
    sweep_due_ms bigint,
    state text NOT NULL,
    opened_ms bigint NOT NULL,
    closed_ms bigint,
    CHECK (closed_ms IS NULL OR sweep_due_ms IS NULL)
  )`,
  `CREATE INDEX incidents_open ON incidents (job) WHERE closed_ms IS NULL`,
  `CREATE INDEX incidents_due ON incidents (sweep_due_ms) WHERE sweep_due_ms IS NOT NULL`,
  `CREATE INDEX incidents_closed ON incidents (closed_ms) WHERE closed_ms IS NOT NULL`,
  // News of incidents that wait for others with the same cause; few, and not for long.
  `CREATE TABLE gatherings (
    kind text NOT NULL,
    cause_group text NOT NULL,
    due_ms bigint NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (kind, cause_group)
  )`,
  `CREATE TABLE deliveries (
    id ${generatedId},
    key text NOT NULL UNIQUE,
    channel text NOT NULL,
    body text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
    attempts text NOT NULL,
    made integer NOT NULL,
    next_ms bigint,
    created_ms bigint NOT NULL,
    CHECK ((state = 'waiting') = (next_ms IS NOT NULL))
  )`,
  // What is due, by channel: one that hangs must not have its many looked through for the others.
  `CREATE INDEX deliveries_due ON deliveries (next_ms, id, channel) WHERE next_ms IS NOT NULL`,
  `CREATE INDEX deliveries_over ON deliveries (created_ms) WHERE next_ms IS NULL`,
];
