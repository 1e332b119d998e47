import type { Generated, Selectable } from 'kysely';
import type {
  HostId,
  JobId,
  Role,
  RunCause,
  RunKey,
  RunOutcome,
  RunState,
  SkipReason,
} from './vocabulary.ts';

/**
 * The tables as they stand in both databases; migrations/ makes them. Here names are in camelCase, there in snake_case.
 * Times are milliseconds since 1970 in bigint columns; JSON is text that we write and parse ourselves.
 */
export interface Database {
  projects: { name: string; createdMs: number };
  jobs: JobTable;
  jobVersions: {
    jobId: JobId;
    version: number;
    definition: string;
    appliedBy: string;
    appliedMs: number;
  };
  fires: FireTable;
  nextDue: { jobId: JobId; version: number; dueMs: number | null; rules: string };
  runs: RunTable;
  attempts: AttemptTable;
  arrivals: { jobId: JobId; parent: string; result: string };
  hosts: HostTable;
  joinTokens: JoinTokenTable;
  tokens: TokenTable;
  audit: AuditTable;
  events: EventTable;
  leases: { name: string; holder: string; epoch: number; expiresMs: number };
  idempotencyKeys: { key: string; requestHash: string; answer: string | null; expiresMs: number };
  settings: { name: string; value: string };
  incidents: IncidentTable;
  gatherings: { kind: string; causeGroup: string; dueMs: number; state: string };
  deliveries: DeliveryTable;
}

interface JobTable {
  id: JobId;
  project: string;
  name: string;
  /** The name in lower case: the two databases fold letters differently. */
  search: string;
  version: number;
  definition: string;
  createdMs: number;
  updatedMs: number;
  deletedMs: number | null;
  pausedSinceMs: number | null;
  /** Null while paused: until somebody resumes it. */
  pausedUntilMs: number | null;
  pauseReason: string | null;
}

interface FireTable {
  jobId: JobId;
  dueMs: number;
  decidedMs: number;
  version: number;
  verdict: 'run' | 'skipped';
  reason: SkipReason | null;
  /** Of the reason, for people: whose run was in the way, why it was paused. */
  detail: string | null;
  runKey: RunKey | null;
}

interface RunTable {
  key: RunKey;
  jobId: JobId | null;
  jobVersion: number | null;
  project: string;
  pool: string;
  spec: string;
  cause: RunCause['kind'];
  causeRef: string | null;
  state: RunState;
  outcome: RunOutcome | null;
  code: number | null;
  signal: string | null;
  error: string | null;
  result: string | null;
  hostId: HostId | null;
  /** Counts from 1; the one that goes on, or the last. */
  attempt: number;
  /** How many attempts ended for which reason, as JSON; null: none. */
  made: string | null;
  priority: number;
  queuedMs: number;
  dueMs: number | null;
  notBeforeMs: number | null;
  startedMs: number | null;
  endedMs: number | null;
  cancelRequestedMs: number | null;
  cancelRequestedBy: string | null;
  /** Why this host; while it is queued, what it waits for. */
  placement: string | null;
}

interface AttemptTable {
  runKey: RunKey;
  attempt: number;
  hostId: HostId;
  wireKey: RunKey;
  startedMs: number | null;
  endedMs: number;
  outcome: RunOutcome;
  code: number | null;
  signal: string | null;
  error: string | null;
}

interface HostTable {
  id: HostId;
  name: string;
  /** The last one that it was given, of which it may not have heard. */
  incarnation: number;
  /** The last one that it is known to have written down. */
  confirmed: number;
  labels: string;
  capacity: number;
  createdMs: number;
  cordonedMs: number | null;
  drainingMs: number | null;
  lastSeenMs: number | null;
  bootId: string;
  /** What it said of itself last: version, pools. */
  facts: string;
  credentialHash: string;
}

interface JoinTokenTable {
  hash: string;
  createdMs: number;
  createdBy: string;
  expiresMs: number;
  usedMs: number | null;
  hostId: HostId | null;
}

interface TokenTable {
  id: string;
  name: string;
  hash: string;
  role: Role;
  /** Null: every project. */
  project: string | null;
  createdMs: number;
  lastUsedMs: number | null;
  revokedMs: number | null;
}

interface AuditTable {
  id: Generated<number>;
  atMs: number;
  who: string;
  what: string;
  target: string;
  detail: string;
}

interface EventTable {
  id: Generated<number>;
  atMs: number;
  data: string;
}

interface IncidentTable {
  id: string;
  /** `project/name` */
  job: string;
  /** When there is something to do with it; null: never. */
  sweepDueMs: number | null;
  state: string;
  openedMs: number;
  closedMs: number | null;
}

interface DeliveryTable {
  id: Generated<number>;
  /** By which receivers know it. */
  key: string;
  channel: string;
  body: string;
  state: 'waiting' | 'delivered' | 'given_up';
  attempts: string;
  made: number;
  /** When it is tried next; null: it is over. */
  nextMs: number | null;
  createdMs: number;
}

export type Row<T extends keyof Database> = Selectable<Database[T]>;
