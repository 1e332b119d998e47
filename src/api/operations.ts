import { type Static, type TObject, type TSchema, Type } from 'typebox';
import {
  AlertDelivery,
  Attempt,
  AuditEntry,
  Fire,
  Host,
  Incident,
  Job,
  JobChange,
  JobVersion,
  LogChunk,
  LogMatches,
  Outcome,
  Role,
  Run,
  RunState,
  Status,
  Token,
  Why,
} from './resources.ts';

/** One thing that can be asked for over HTTP: what goes in, what comes out, who may. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below /api/v1; `:name` stands for a part of `params`. */
  readonly path: string;
  readonly summary: string;
  /** The least role; null: no token is asked for. */
  readonly role: 'viewer' | 'operator' | 'admin' | null;
  readonly params: TObject;
  readonly query: TObject;
  readonly body: TSchema | null;
  readonly answer: TSchema;
}

type Given<P extends TObject, Q extends TObject, B, A extends TSchema> = Pick<
  Operation,
  'method' | 'path' | 'summary' | 'role'
> & { readonly params?: P; readonly query?: Q; readonly body?: B; readonly answer: A };

const nothing = Type.Object({});

function operation<
  A extends TSchema,
  P extends TObject = typeof nothing,
  Q extends TObject = typeof nothing,
  B extends TSchema | null = null,
>(given: Given<P, Q, B, A>) {
  const { params = nothing, query = nothing, body = null, ...rest } = given;
  return { ...rest, params: params as P, query: query as Q, body: body as B };
}

const name = Type.String({ minLength: 1, maxLength: 100 });
const ofJob = Type.Object({ project: name, name });
const ofRun = Type.Object({ key: Type.String({ minLength: 1, maxLength: 255 }) });
const ofHost = Type.Object({ host: Type.String({ minLength: 1, maxLength: 255 }) });
const Ms = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 });
const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String({ maxLength: 1000 })),
};
const pageOf = <T extends TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()]) });
const done = Type.Object({ ok: Type.Literal(true) });
const reason = Type.Optional(Type.String({ maxLength: 1000 }));
const priority = Type.Optional(Type.Integer({ minimum: -1000, maximum: 1000 }));
const params = Type.Optional(Type.Array(Type.Unknown()));
const key = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }));
const newRun = Type.Object({
  project: Type.Optional(name),
  pool: name,
  class: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
  params,
  argv: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  key,
  priority,
  timeout_ms: Type.Optional(Type.Integer({ minimum: 1 })),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});
const pauseBody = Type.Object({ until_ms: Type.Optional(Ms), reason });

export const operations = {
  status: operation({
    method: 'GET',
    path: '/status',
    summary: 'How it stands: version, leader, counts',
    role: 'viewer',
    answer: Status,
  }),

  restart: operation({
    method: 'POST',
    path: '/restart',
    summary:
      'Replaces the server by the code and the configuration as they are now: answers when that takes over, or nothing has changed',
    role: 'admin',
    answer: done,
  }),

  applyJobs: operation({
    method: 'POST',
    path: '/jobs/apply',
    summary: 'Makes jobs what job files say, all of it or nothing',
    role: 'operator',
    body: Type.Object({
      files: Type.Array(Type.Object({ name: Type.String(), text: Type.String({ maxLength: 4_000_000 }) }), {
        maxItems: 10_000,
      }),
      dry_run: Type.Optional(Type.Boolean()),
      /** Jobs of the files' projects that are not in the files are deleted. */
      prune: Type.Optional(Type.Boolean()),
    }),
    answer: Type.Object({ applied: Type.Boolean(), jobs: Type.Array(JobChange) }),
  }),
  listJobs: operation({
    method: 'GET',
    path: '/jobs',
    summary: 'Jobs by project and name',
    role: 'viewer',
    query: Type.Object({
      project: Type.Optional(name),
      q: Type.Optional(Type.String({ maxLength: 100 })),
      ...page,
    }),
    answer: pageOf(Job),
  }),
  getJob: operation({
    method: 'GET',
    path: '/jobs/:project/:name',
    summary: 'A job; its ETag is its version',
    role: 'viewer',
    params: ofJob,
    answer: Job,
  }),
  putJob: operation({
    method: 'PUT',
    path: '/jobs/:project/:name',
    summary: 'Creates or changes a job, as a job file would; with If-Match only the version that is meant',
    role: 'operator',
    params: ofJob,
    body: Type.Record(Type.String(), Type.Unknown(), {
      description: 'a job of a job file (schemas/jobs.json)',
    }),
    answer: Job,
  }),
  deleteJob: operation({
    method: 'DELETE',
    path: '/jobs/:project/:name',
    summary: 'Deletes a job; its runs and its history stay readable',
    role: 'operator',
    params: ofJob,
    answer: done,
  }),
  jobHistory: operation({
    method: 'GET',
    path: '/jobs/:project/:name/history',
    summary: 'All definitions that a job has had, with differences',
    role: 'viewer',
    params: ofJob,
    answer: Type.Object({ items: Type.Array(JobVersion) }),
  }),
  rollbackJob: operation({
    method: 'POST',
    path: '/jobs/:project/:name/rollback',
    summary: 'Makes a former definition the present one, as a new version',
    role: 'operator',
    params: ofJob,
    body: Type.Object({ version: Type.Integer({ minimum: 1 }) }),
    answer: Job,
  }),
  pauseJob: operation({
    method: 'POST',
    path: '/jobs/:project/:name/pause',
    summary:
      'Its due times are skipped until it is resumed, or until a time; it can be triggered all the same',
    role: 'operator',
    params: ofJob,
    body: pauseBody,
    answer: Job,
  }),
  resumeJob: operation({
    method: 'POST',
    path: '/jobs/:project/:name/resume',
    summary: 'Ends a pause',
    role: 'operator',
    params: ofJob,
    answer: Job,
  }),
  pauseAll: operation({
    method: 'POST',
    path: '/pause',
    summary: 'Skips the due times of all jobs',
    role: 'admin',
    body: pauseBody,
    answer: Status,
  }),
  resumeAll: operation({
    method: 'POST',
    path: '/resume',
    summary: 'Ends the pause of all jobs; those of single jobs stay',
    role: 'admin',
    answer: Status,
  }),
  triggerJob: operation({
    method: 'POST',
    path: '/jobs/:project/:name/trigger',
    summary: 'Runs a job now; its schedule goes on as it would',
    role: 'operator',
    params: ofJob,
    body: Type.Object({ params, key, priority }),
    answer: Run,
  }),
  backfillJob: operation({
    method: 'POST',
    path: '/jobs/:project/:name/backfill',
    summary: 'Runs a job for each due time of a period, so many at a time',
    role: 'operator',
    params: ofJob,
    body: Type.Object({
      from_ms: Ms,
      to_ms: Ms,
      parallel: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      dry_run: Type.Optional(Type.Boolean()),
    }),
    answer: Type.Object({ due: Type.Array(Ms), created: Type.Integer() }),
  }),
  why: operation({
    method: 'GET',
    path: '/jobs/:project/:name/why',
    summary: 'Why a job ran, or did not run, at a time or of late',
    role: 'viewer',
    params: ofJob,
    query: Type.Object({
      at_ms: Type.Optional(Ms),
      timezone: Type.Optional(Type.String({ maxLength: 100, description: 'of the times in the text' })),
    }),
    answer: Why,
  }),
  ledger: operation({
    method: 'GET',
    path: '/jobs/:project/:name/ledger',
    summary: 'Every due time of a job and what became of it',
    role: 'viewer',
    params: ofJob,
    query: Type.Object({
      from_ms: Type.Optional(Ms),
      to_ms: Type.Optional(Ms),
      order: Type.Optional(Type.Enum(['asc', 'desc'])),
      ...page,
    }),
    answer: pageOf(Fire),
  }),
  webhookOfJob: operation({
    method: 'GET',
    path: '/jobs/:project/:name/webhook',
    summary: 'The path and the secret by which somebody without a token can start a job',
    role: 'operator',
    params: ofJob,
    answer: Type.Object({ path: Type.String(), secret: Type.String() }),
  }),
  hook: operation({
    method: 'POST',
    path: '/hooks/:project/:name',
    summary: 'Starts a job by a signed request (Standard Webhooks); its body is the one parameter',
    role: null,
    params: ofJob,
    body: Type.Unknown(),
    answer: Type.Object({ key: Type.String() }),
  }),

  listRuns: operation({
    method: 'GET',
    path: '/runs',
    summary: 'Runs, newest first',
    role: 'viewer',
    query: Type.Object({
      project: Type.Optional(name),
      job: Type.Optional(name),
      host: Type.Optional(Type.String({ maxLength: 255 })),
      outcome: Type.Optional(Outcome),
      state: Type.Optional(Type.Union([RunState, Type.Literal('active')])),
      ...page,
    }),
    answer: pageOf(Run),
  }),
  createRun: operation({
    method: 'POST',
    path: '/runs',
    summary: 'Runs a class or a command that is no job',
    role: 'operator',
    body: newRun,
    answer: Run,
  }),
  createRuns: operation({
    method: 'POST',
    path: '/runs/batch',
    summary: 'Runs many classes or commands that are no jobs, with one commit',
    role: 'operator',
    body: Type.Object({ runs: Type.Array(newRun, { minItems: 1, maxItems: 1000 }) }),
    answer: Type.Object({
      runs: Type.Array(
        Type.Object({
          key: Type.String(),
          created: Type.Boolean({ description: 'false: the key was there' }),
        }),
      ),
    }),
  }),
  getRun: operation({
    method: 'GET',
    path: '/runs/:key',
    summary: 'A run and its former attempts',
    role: 'viewer',
    params: ofRun,
    answer: Type.Object({ run: Run, attempts: Type.Array(Attempt) }),
  }),
  cancelRun: operation({
    method: 'POST',
    path: '/runs/:key/cancel',
    summary: 'Ends a run, wherever it is',
    role: 'operator',
    params: ofRun,
    answer: Run,
  }),
  rerunRun: operation({
    method: 'POST',
    path: '/runs/:key/rerun',
    summary: 'Makes another run of what a run was',
    role: 'operator',
    params: ofRun,
    answer: Run,
  }),
  rerunRuns: operation({
    method: 'POST',
    path: '/runs/rerun',
    summary: 'Makes another run of each that ended badly since a time',
    role: 'operator',
    body: Type.Object({
      project: Type.Optional(name),
      job: Type.Optional(name),
      since_ms: Ms,
      dry_run: Type.Optional(Type.Boolean()),
    }),
    answer: Type.Object({ runs: Type.Array(Type.Object({ former: Type.String(), key: Type.String() })) }),
  }),
  runLog: operation({
    method: 'GET',
    path: '/runs/:key/log',
    summary: 'A piece of a run’s log: from an offset (negative: from the end) or a time; of an attempt',
    role: 'viewer',
    params: ofRun,
    query: Type.Object({
      offset: Type.Optional(Type.Integer()),
      length: Type.Optional(Type.Integer({ minimum: 1, maximum: 262_144 })),
      since_ms: Type.Optional(Ms),
      attempt: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    answer: LogChunk,
  }),
  searchLog: operation({
    method: 'GET',
    path: '/runs/:key/log/search',
    summary: 'Lines of a run’s log that hold a text; of an attempt',
    role: 'viewer',
    params: ofRun,
    query: Type.Object({
      text: Type.String({ minLength: 1, maxLength: 200 }),
      offset: Type.Optional(Type.Integer({ minimum: 0 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      ignore_case: Type.Optional(Type.Boolean()),
      attempt: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    answer: LogMatches,
  }),

  listHosts: operation({
    method: 'GET',
    path: '/hosts',
    summary: 'Hosts and their load',
    role: 'viewer',
    answer: Type.Object({ items: Type.Array(Host) }),
  }),
  inviteHost: operation({
    method: 'POST',
    path: '/hosts/invite',
    summary: 'Makes a token by which one host can join, once',
    role: 'admin',
    body: Type.Object({ expires_in_ms: Type.Optional(Type.Integer({ minimum: 1000 })) }),
    answer: Type.Object({ token: Type.String(), expires_ms: Ms }),
  }),
  joinHost: operation({
    method: 'POST',
    path: '/hosts/join',
    summary: 'For rocksyd: exchanges a join token for a credential',
    role: null,
    body: Type.Object({
      token: Type.String({ minLength: 1, maxLength: 1000 }),
      name: Type.String({ minLength: 1, maxLength: 255 }),
      credential_sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    answer: Type.Object({ host_id: Type.String() }),
  }),
  cordonHost: operation({
    method: 'POST',
    path: '/hosts/:host/cordon',
    summary: 'A cordoned host gets no new runs',
    role: 'operator',
    params: ofHost,
    body: Type.Object({ on: Type.Optional(Type.Boolean()) }),
    answer: Host,
  }),
  drainHost: operation({
    method: 'POST',
    path: '/hosts/:host/drain',
    summary: 'A draining host gets no new runs and is told of as done when it has none left',
    role: 'operator',
    params: ofHost,
    body: Type.Object({ on: Type.Optional(Type.Boolean()) }),
    answer: Host,
  }),
  removeHost: operation({
    method: 'DELETE',
    path: '/hosts/:host',
    summary: 'Forgets a host: its credential is worth nothing from then on',
    role: 'admin',
    params: ofHost,
    answer: done,
  }),

  listIncidents: operation({
    method: 'GET',
    path: '/alerts/incidents',
    summary: 'What is wrong with jobs now',
    role: 'viewer',
    answer: Type.Object({ items: Type.Array(Incident) }),
  }),
  listDeliveries: operation({
    method: 'GET',
    path: '/alerts/deliveries',
    summary: 'Who was told of what, and how that went; latest first',
    role: 'admin',
    query: Type.Object({ ...page }),
    answer: pageOf(AlertDelivery),
  }),

  listTokens: operation({
    method: 'GET',
    path: '/tokens',
    summary: 'Tokens, without what they are',
    role: 'admin',
    answer: Type.Object({ items: Type.Array(Token) }),
  }),
  createToken: operation({
    method: 'POST',
    path: '/tokens',
    summary: 'Makes a token; it is shown this once',
    role: 'admin',
    body: Type.Object({ name, role: Role, project: Type.Optional(name) }),
    answer: Type.Object({ token: Type.String(), record: Token }),
  }),
  revokeToken: operation({
    method: 'DELETE',
    path: '/tokens/:name',
    summary: 'Makes a token worthless',
    role: 'admin',
    params: Type.Object({ name }),
    answer: done,
  }),
  audit: operation({
    method: 'GET',
    path: '/audit',
    summary: 'Who did what, newest first',
    role: 'admin',
    query: Type.Object({
      who: Type.Optional(Type.String({ maxLength: 255 })),
      target: Type.Optional(Type.String({ maxLength: 300 })),
      ...page,
    }),
    answer: pageOf(AuditEntry),
  }),
} as const satisfies Record<string, Operation>;

export type Operations = typeof operations;
export type OperationName = keyof Operations;

type BodyOf<N extends OperationName> = Operations[N]['body'] extends TSchema
  ? Static<Operations[N]['body']>
  : undefined;

/** What goes in. */
export interface Input<N extends OperationName> {
  readonly params: Static<Operations[N]['params']>;
  readonly query: Static<Operations[N]['query']>;
  readonly body: BodyOf<N>;
}

export type Answer<N extends OperationName> = Static<Operations[N]['answer']>;
