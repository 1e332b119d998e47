import { type Static, Type } from 'typebox';
import { closed, duration, flag, integer, text as textOf } from '../../document/index.ts';

/*
 * A job file as it is written. Every schema's `description` completes the sentence "expected …". It is published for
 * editors as well (JSON Schema).
 */

const timezone = Type.String({ minLength: 1, description: 'a time zone such as Europe/Berlin or UTC' });
const name = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  description: 'a name of letters, digits, . _ - (at most 100)',
});
const names = Type.Array(name, { uniqueItems: true, description: 'a list of names of jobs' });
const instant = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}(?:[T ]\\d{2}:\\d{2}(?::\\d{2})?(?:Z|[+-]\\d{2}:\\d{2})?)?$',
  description: 'a time such as 2026-12-24T18:00 (in the job’s time zone) or 2026-12-24T17:00:00Z',
});
const cron = Type.String({ minLength: 1, description: 'a cron pattern such as "0 3 * * 1-5"' });

const text = (description: string, maxLength = 4096) => textOf(description, { maxLength });

const schedule = Type.Union(
  [
    cron,
    Type.Object(
      {
        cron: Type.Optional(cron),
        every: Type.Optional(duration),
        offset: Type.Optional(duration),
        at: Type.Optional(instant),
        timezone: Type.Optional(timezone),
      },
      { ...closed, description: 'a mapping with cron, every or at' },
    ),
  ],
  { description: 'a cron pattern, or a mapping with cron, every or at' },
);

const blackout = Type.Object(
  {
    from: Type.Optional(instant),
    to: Type.Optional(instant),
    cron: Type.Optional(cron),
    for: Type.Optional(duration),
    timezone: Type.Optional(timezone),
  },
  { ...closed, description: 'a mapping with from and to, or with cron and for' },
);

const retryPolicy = Type.Object(
  {
    max: Type.Optional(integer(0, 1000)),
    backoff: Type.Optional(duration),
    factor: Type.Optional(Type.Number({ minimum: 1, maximum: 100, description: 'a number from 1 to 100' })),
    max_backoff: Type.Optional(duration),
  },
  { ...closed, description: 'a mapping with max, backoff, factor and max_backoff' },
);

const misfirePolicy = Type.Enum(['skip', 'once', 'all'], { description: 'skip, once or all' });
const overlapPolicy = Type.Enum(['allow', 'skip', 'queue', 'replace'], {
  description: 'allow, skip, queue or replace',
});

const instances = Type.Object(
  {
    min: Type.Optional(integer(0, 1000)),
    max: integer(1, 1000),
    per: integer(1, 1_000_000_000),
    every: Type.Optional(duration),
    cool_down: Type.Optional(duration),
    command: Type.Optional(
      Type.Array(Type.String(), { minItems: 1, description: 'a list: a program and its arguments' }),
    ),
    http: Type.Optional(text('a URL of http or https')),
    postgres: Type.Optional(
      Type.Object(
        {
          url_env: Type.String({
            pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
            maxLength: 255,
            description: 'the name of an environment variable',
          }),
          query: text('a query whose first column is a number', 65_536),
        },
        { ...closed, description: 'a mapping with url_env and query' },
      ),
    ),
  },
  {
    ...closed,
    description: 'a mapping with min, max, per, every, cool_down and one of command, http and postgres',
  },
);

const keys = {
  description: Type.Optional(Type.String({ maxLength: 4096, description: 'a text' })),
  class: Type.Optional(text('the name of a class', 1000)),
  params: Type.Optional(Type.Array(Type.Unknown(), { description: 'a list of parameters' })),
  argv: Type.Optional(
    Type.Array(Type.String(), { minItems: 1, description: 'a list: a program and its arguments' }),
  ),
  pool: Type.Optional(name),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String(), {
      description: 'a mapping of variables to texts',
    }),
  ),
  cwd: Type.Optional(text('a folder')),
  stdin: Type.Optional(Type.String({ maxLength: 65_536, description: 'a text' })),
  schedule: Type.Optional(
    Type.Union([schedule, Type.Array(schedule, { minItems: 1, description: 'a list of schedules' })], {
      description: 'a cron pattern, a mapping with cron, every or at, or a list of them',
    }),
  ),
  timezone: Type.Optional(timezone),
  start: Type.Optional(instant),
  end: Type.Optional(instant),
  jitter: Type.Optional(duration),
  blackout: Type.Optional(Type.Array(blackout, { description: 'a list of times in which it does not run' })),
  misfire: Type.Optional(
    Type.Union(
      [
        misfirePolicy,
        Type.Object(
          { policy: misfirePolicy, within: Type.Optional(duration), max: Type.Optional(integer(1, 100_000)) },
          { ...closed, description: 'a mapping with policy, within and max' },
        ),
      ],
      { description: 'skip, once, all, or a mapping with policy, within and max' },
    ),
  ),
  overlap: Type.Optional(
    Type.Union(
      [
        overlapPolicy,
        Type.Object(
          { policy: overlapPolicy, limit: Type.Optional(integer(1, 100_000)) },
          { ...closed, description: 'a mapping with policy and limit' },
        ),
      ],
      { description: 'allow, skip, queue, replace, or a mapping with policy and limit' },
    ),
  ),
  instances: Type.Optional(
    Type.Union([integer(0, 1000), instances], {
      description:
        'an integer from 0 to 1000, or a mapping with max, per and one of command, http and postgres',
    }),
  ),
  timeout: Type.Optional(duration),
  kill_after: Type.Optional(duration),
  queue_timeout: Type.Optional(duration),
  delivery: Type.Optional(
    Type.Enum(['at-most-once', 'at-least-once'], { description: 'at-most-once or at-least-once' }),
  ),
  on_host_loss: Type.Optional(Type.Enum(['wait', 'fail', 'rerun'], { description: 'wait, fail or rerun' })),
  retry: Type.Optional(
    Type.Object(
      {
        failure: Type.Optional(retryPolicy),
        lost_process: Type.Optional(retryPolicy),
        lost_host: Type.Optional(retryPolicy),
      },
      { ...closed, description: 'a mapping with failure, lost_process and lost_host' },
    ),
  ),
  priority: Type.Optional(integer(-1000, 1000)),
  concurrency: Type.Optional(
    Type.Union(
      [
        integer(1, 100_000),
        Type.Object(
          {
            job: Type.Optional(integer(1, 100_000)),
            per_host: Type.Optional(integer(1, 100_000)),
            per_key: Type.Optional(integer(1, 100_000)),
            key: Type.Optional(
              Type.String({
                pattern: '^(/([^/~]|~[01])*)+$',
                description: 'a JSON Pointer such as /0/customer',
              }),
            ),
          },
          { ...closed, description: 'a mapping with job, per_host, per_key and key' },
        ),
      ],
      { description: 'an integer from 1 to 100000, or a mapping with job, per_host, per_key and key' },
    ),
  ),
  labels: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 255 }), {
      description: 'a mapping of labels to texts',
    }),
  ),
  cost: Type.Optional(Type.Number({ minimum: 0.001, maximum: 100_000, description: 'a number above 0' })),
  on_success: Type.Optional(names),
  on_failure: Type.Optional(names),
  after: Type.Optional(names),
  webhook: Type.Optional(flag),
  shadow: Type.Optional(flag),
  expect: Type.Optional(
    Type.Object(
      { begun_within: Type.Optional(duration), ended_within: Type.Optional(duration) },
      { ...closed, description: 'a mapping with begun_within and ended_within' },
    ),
  ),
  params_schema: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'a JSON Schema' })),
};

const job = Type.Object(keys, { ...closed, description: 'a mapping: the definition of a job' });

export const jobFileSchema = Type.Object(
  {
    project: Type.Optional(name),
    defaults: Type.Optional(job),
    jobs: Type.Record(name, job, {
      propertyNames: name,
      description: 'a mapping of names to definitions of jobs',
    }),
  },
  {
    ...closed,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Rocksy jobs',
    description: 'a mapping with jobs',
  },
);

export type JobFile = Static<typeof jobFileSchema>;
export type RawJob = Static<typeof job>;
export type RawSchedule = Static<typeof schedule>;
export type RawBlackout = Static<typeof blackout>;
export type RawRetryPolicy = Static<typeof retryPolicy>;
export type RawInstances = Static<typeof instances>;
