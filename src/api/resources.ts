import { type Static, type TSchema, Type } from 'typebox';

/*
 * What the API shows. Times are milliseconds since 1970; what is not known or does not apply is null.
 */

const Ms = Type.Integer({ minimum: 0, description: 'milliseconds since 1970' });
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const MsOrNull = orNull(Ms);
const Text = Type.String();
const TextOrNull = orNull(Text);
const Json = Type.Unknown({ description: 'any JSON' });

export const Outcome = Type.Enum(['succeeded', 'failed', 'killed', 'timed_out', 'cancelled', 'lost']);
export const RunState = Type.Enum(['queued', 'starting', 'running', 'unreachable', 'ended']);
export const Role = Type.Enum(['viewer', 'operator', 'admin']);
export const SkipReason = Type.Enum([
  'overlap',
  'blackout',
  'paused',
  'misfire',
  'outside',
  'limit',
  'replaced',
  'shadow',
]);

export const Problem = Type.Object(
  {
    type: Text,
    title: Text,
    status: Type.Integer(),
    /** Stable, for programs. */
    code: Text,
    detail: Type.Optional(Text),
    /** Of files that were sent: what is wrong where. */
    problems: Type.Optional(
      Type.Array(
        Type.Object({
          file: Text,
          line: Type.Integer(),
          column: Type.Integer(),
          key: Text,
          message: Text,
          hint: Type.Optional(Text),
        }),
      ),
    ),
  },
  { $id: 'Problem', description: 'An error (RFC 9457)' },
);

export const Pause = Type.Object({ since_ms: Ms, until_ms: MsOrNull, reason: TextOrNull });

export const Instances = Type.Object(
  {
    wanted: Type.Integer(),
    present: Type.Integer({ description: 'without those that are ending' }),
    ending: Type.Integer(),
    backlog: orNull(Type.Number()),
    backlog_at_ms: MsOrNull,
    backlog_error: Type.Union([Text, Type.Null()], {
      description: 'why the backlog could not be read: the number before that holds',
    }),
    backlog_failing_since_ms: MsOrNull,
    slowed_until_ms: Type.Union([Ms, Type.Null()], {
      description: 'they end as soon as they begin: none is started before',
    }),
  },
  { $id: 'Instances' },
);

export const Job = Type.Object(
  {
    id: Text,
    project: Text,
    name: Text,
    version: Type.Integer(),
    created_ms: Ms,
    updated_ms: Ms,
    deleted_ms: MsOrNull,
    pause: orNull(Pause),
    next_due_ms: MsOrNull,
    instances: Type.Union([Instances, Type.Null()], { description: 'null: it is no job with instances' }),
    definition: Type.Record(Text, Json, { description: 'with all defaults (docs/jobs.md)' }),
  },
  { $id: 'Job' },
);

export const Change = Type.Object({ key: Text, before: Json, after: Json });

export const JobChange = Type.Object({
  project: Text,
  name: Text,
  change: Type.Enum(['created', 'changed', 'unchanged', 'removed', 'superfluous']),
  changes: Type.Array(Change),
  next_due_before: Type.Array(Ms, { description: 'the next fires by the former definition' }),
  next_due_after: Type.Array(Ms),
});

export const JobVersion = Type.Object({
  version: Type.Integer(),
  applied_by: Text,
  applied_ms: Ms,
  changes: Type.Array(Change, { description: 'against the version before' }),
  definition: Type.Record(Text, Json),
});

export const WaitsFor = Type.Object({
  for: Type.Enum(['time', 'limit', 'host', 'turn']),
  text: Text,
});

export const Run = Type.Object(
  {
    key: Text,
    project: Text,
    job: TextOrNull,
    job_id: TextOrNull,
    job_version: orNull(Type.Integer()),
    pool: Text,
    class: TextOrNull,
    argv: orNull(Type.Array(Text)),
    params: Json,
    state: RunState,
    outcome: orNull(Outcome),
    code: orNull(Type.Integer()),
    signal: TextOrNull,
    error: TextOrNull,
    result: Json,
    cause: Text,
    cause_ref: TextOrNull,
    host: TextOrNull,
    attempt: Type.Integer(),
    priority: Type.Integer(),
    queued_ms: Ms,
    due_ms: MsOrNull,
    not_before_ms: Ms,
    started_ms: MsOrNull,
    ended_ms: MsOrNull,
    cancelled_by: TextOrNull,
    waits_for: orNull(WaitsFor),
  },
  { $id: 'Run' },
);

export const Attempt = Type.Object({
  attempt: Type.Integer(),
  host: Text,
  started_ms: MsOrNull,
  ended_ms: Ms,
  outcome: Outcome,
  code: orNull(Type.Integer()),
  signal: TextOrNull,
  error: TextOrNull,
});

export const Fire = Type.Object(
  {
    due_ms: Ms,
    decided_ms: Ms,
    version: Type.Integer(),
    verdict: Type.Enum(['run', 'skipped']),
    reason: orNull(SkipReason),
    detail: TextOrNull,
    run_key: TextOrNull,
  },
  { $id: 'Fire' },
);

export const Why = Type.Object(
  {
    text: Type.Array(Text, { description: 'the answer, a sentence each' }),
    job: orNull(Job),
    fire: orNull(Fire),
    run: orNull(Run),
    recent: Type.Array(Fire, { description: 'the fires before, the latest first' }),
    next_due: Type.Array(Ms),
  },
  { $id: 'Why' },
);

export const Host = Type.Object(
  {
    id: Text,
    name: Text,
    contact: Type.Enum(['connected', 'silent', 'lost']),
    cordoned: Type.Boolean(),
    draining: Type.Boolean(),
    labels: Type.Record(Text, Text),
    pools: Type.Array(Text),
    capacity: Type.Number(),
    load: Type.Number(),
    running: Type.Integer(),
    version: TextOrNull,
    incarnation: Type.Integer(),
    created_ms: Ms,
    last_seen_ms: MsOrNull,
  },
  { $id: 'Host' },
);

export const Token = Type.Object(
  {
    id: Text,
    name: Text,
    role: Role,
    project: TextOrNull,
    created_ms: Ms,
    last_used_ms: MsOrNull,
  },
  { $id: 'Token' },
);

export const AuditEntry = Type.Object({
  id: Type.Integer(),
  at_ms: Ms,
  who: Text,
  what: Text,
  target: Text,
  detail: Json,
});

export const LogChunk = Type.Object({
  offset: Type.Integer(),
  data: Type.Optional(Text),
  data_base64: Type.Optional(Text),
  next_offset: Type.Integer(),
  size: Type.Integer(),
  end: Type.Boolean({ description: 'the run has ended and all is read' }),
});

export const LogMatches = Type.Object({
  matches: Type.Array(Type.Object({ offset: Type.Integer(), line: Text })),
  next_offset: Type.Integer(),
  size: Type.Integer(),
  end: Type.Boolean(),
});

export const Status = Type.Object({
  version: Text,
  started_ms: Ms,
  leader: Type.Boolean(),
  store: Text,
  jobs: Type.Integer(),
  hosts: Type.Integer(),
  hosts_connected: Type.Integer(),
  queued: Type.Integer(),
  active: Type.Integer(),
  outcomes_24h: Type.Record(Text, Type.Integer()),
  pause: orNull(Pause),
});

export const Incident = Type.Object(
  {
    id: Text,
    job: Text,
    kind: Type.Enum(['failed', 'late', 'missed', 'too_long']),
    cause: Text,
    opened_ms: Ms,
    last_ms: Ms,
    last_run: TextOrNull,
    count: Type.Integer(),
    state: Type.Enum(['open', 'recovered']),
  },
  { $id: 'Incident' },
);

export const AlertDelivery = Type.Object(
  {
    id: Text,
    channel: Text,
    state: Type.Enum(['waiting', 'delivered', 'given_up']),
    created_ms: Ms,
    next_ms: MsOrNull,
    attempts: Type.Array(
      Type.Object({ at_ms: Ms, ok: Type.Boolean(), status: orNull(Type.Integer()), detail: Text }),
    ),
    notice: Json,
  },
  { $id: 'AlertDelivery' },
);

export type Incident = Static<typeof Incident>;
export type AlertDelivery = Static<typeof AlertDelivery>;
export type Job = Static<typeof Job>;
export type JobChange = Static<typeof JobChange>;
export type JobVersion = Static<typeof JobVersion>;
export type Run = Static<typeof Run>;
export type Attempt = Static<typeof Attempt>;
export type Fire = Static<typeof Fire>;
export type Why = Static<typeof Why>;
export type WaitsFor = Static<typeof WaitsFor>;
export type Host = Static<typeof Host>;
export type Token = Static<typeof Token>;
export type AuditEntry = Static<typeof AuditEntry>;
export type LogChunk = Static<typeof LogChunk>;
export type LogMatches = Static<typeof LogMatches>;
export type Status = Static<typeof Status>;
export type Problem = Static<typeof Problem>;
export type Role = Static<typeof Role>;
