// Kubernetes CronJobs: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import type { RawJob } from '../jobs/index.ts';
import { CronPattern, ScheduleError } from '../scheduler/index.ts';
import { type Imported, type ImportedLine, problemOfJob } from './imported.ts';
import { JobNames } from './job-names.ts';

const Text = Type.String();
const Texts = Type.Array(Text);
const Count = Type.Integer({ minimum: 0 });

const container = Type.Object({
  name: Type.Optional(Text),
  image: Type.Optional(Text),
  command: Type.Optional(Texts),
  args: Type.Optional(Texts),
  workingDir: Type.Optional(Text),
  env: Type.Optional(Type.Array(Type.Object({ name: Text, value: Type.Optional(Text) }))),
  envFrom: Type.Optional(Type.Array(Type.Unknown())),
});

/** What is read of one; whatever else it says is left alone. */
const cronJob = Type.Object({
  kind: Type.Literal('CronJob'),
  metadata: Type.Object({ name: Text, namespace: Type.Optional(Text) }),
  spec: Type.Object({
    schedule: Text,
    timeZone: Type.Optional(Text),
    suspend: Type.Optional(Type.Boolean()),
    concurrencyPolicy: Type.Optional(Type.Enum(['Allow', 'Forbid', 'Replace'])),
    startingDeadlineSeconds: Type.Optional(Count),
    jobTemplate: Type.Object({
      spec: Type.Object({
        backoffLimit: Type.Optional(Count),
        activeDeadlineSeconds: Type.Optional(Count),
        parallelism: Type.Optional(Count),
        completions: Type.Optional(Count),
        template: Type.Object({
          spec: Type.Object({
            containers: Type.Array(container, { minItems: 1 }),
            initContainers: Type.Optional(Type.Array(Type.Unknown())),
          }),
        }),
      }),
    }),
  }),
});
type CronJob = Type.Static<typeof cronJob>;
const validator = Compile(cronJob);

const OVERLAP = { Allow: 'allow', Forbid: 'skip', Replace: 'replace' } as const;
/** Of a Job that does not say. */
const BACKOFF_LIMIT = 6;

export interface CronJobOptions {
  readonly pool: string;
  /** Of those that name none: that of the cluster’s controller. */
  readonly timezone: string;
}

/** Each CronJob of the documents (and of a List) is a line of the report. Never throws. */
export function importCronJobs(text: string, options: CronJobOptions, names = new JobNames()): Imported {
  const counter = new LineCounter();
  const jobs: Record<string, RawJob> = {};
  const lines: ImportedLine[] = [];
  const documents = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false });
  for (const document of Array.isArray(documents) ? documents : []) {
    const line = counter.linePos(document.contents?.range[0] ?? document.range[0]).line;
    const read = contentOf(document);
    if ('problem' in read) {
      const remarks = [`this is no YAML: ${read.problem}`];
      lines.push({ line, text: '', became: 'impossible', job: null, remarks });
    } else {
      for (const object of objectsOf(read.value))
        lines.push({ line, ...becomes(object, options, names, jobs) });
    }
  }
  return { jobs, lines, pools: new Map(Object.keys(jobs).length === 0 ? [] : [[options.pool, null]]) };
}

function contentOf(document: Document.Parsed): { value: unknown } | { problem: string } {
  const [error] = document.errors;
  if (error !== undefined) return { problem: error.message };
  try {
    return { value: document.toJS() };
  } catch (problem) {
    // For aliases that lead nowhere, or multiply without measure.
    return { problem: (problem as Error).message };
  }
}

function objectsOf(value: unknown): unknown[] {
  if (value === null || value === undefined) return [];
  const { kind, items } = value as { kind?: unknown; items?: unknown };
  const all = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items) ? items : [value];
  return all.filter((each) => each !== null && each !== undefined);
}

type Became = Omit<ImportedLine, 'line'>;

function becomes(
  value: unknown,
  options: CronJobOptions,
  names: JobNames,
  jobs: Record<string, RawJob>,
): Became {
  const { kind, metadata } = value as { kind?: unknown; metadata?: { name?: unknown } };
  const text = [kind, metadata?.name].filter((part) => typeof part === 'string').join(' ');
  if (kind !== 'CronJob') return { text, became: 'ignored', job: null, remarks: ['it is no CronJob'] };
  const impossible = (why: string): Became => ({ text, became: 'impossible', job: null, remarks: [why] });
  if (!validator.Check(value)) {
    const [error] = validator.Errors(value);
    return impossible(
      `${error?.instancePath.slice(1).replaceAll('/', '.') ?? ''}: ${error?.message ?? 'not understood'}`,
    );
  }
  const made = jobOf(value, options);
  const problem = problemOf(value) ?? problemOfJob(made);
  if (problem !== null) return impossible(problem);
  const { name: own, namespace = 'default' } = value.metadata;
  // Names are unique in a namespace only.
  const name = names.take(own, `${namespace}-${own}`);
  jobs[name] = made;
  return { text, became: 'job', job: name, remarks: remarksOn(value) };
}

function problemOf({ spec }: CronJob): string | null {
  const { containers } = spec.jobTemplate.spec.template.spec;
  if (containers.length > 1) return 'it has several containers: a run is one program';
  const [only] = containers;
  if ((only?.command ?? []).length === 0)
    return 'it has no command: what its image starts by itself has to be written down';
  try {
    new CronPattern(spec.schedule);
    return null;
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    return error.message;
  }
}

function jobOf({ spec }: CronJob, options: CronJobOptions): RawJob {
  const { backoffLimit, activeDeadlineSeconds, template } = spec.jobTemplate.spec;
  const [only] = template.spec.containers;
  const env = (only?.env ?? []).flatMap(({ name, value }) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const { startingDeadlineSeconds: deadline } = spec;
  return {
    pool: options.pool,
    argv: [...(only?.command ?? []), ...(only?.args ?? [])],
    ...(only?.workingDir === undefined ? {} : { cwd: only.workingDir }),
    ...(env.length === 0 ? {} : { env: Object.fromEntries(env) }),
    timezone: spec.timeZone ?? options.timezone,
    schedule: spec.schedule,
    overlap: OVERLAP[spec.concurrencyPolicy ?? 'Allow'],
    misfire: deadline === undefined ? 'once' : { policy: 'once', within: `${deadline}s` },
    retry: { failure: { max: backoffLimit ?? BACKOFF_LIMIT, backoff: '10s', max_backoff: '6m' } },
    ...(activeDeadlineSeconds === undefined ? {} : { timeout: `${activeDeadlineSeconds}s` }),
  };
}

function remarksOn({ spec }: CronJob): string[] {
  const { parallelism, completions, template } = spec.jobTemplate.spec;
  const [only] = template.spec.containers;
  const hidden = (only?.env ?? []).filter(({ value }) => value === undefined).map(({ name }) => name);
  return [
    ...(only?.image === undefined
      ? []
      : [`its image ${only.image} is not used: its program has to be on the host`]),
    ...(hidden.length === 0
      ? []
      : [`the variables ${hidden.join(', ')} come from elsewhere: the pool has to have them`]),
    ...((only?.envFrom ?? []).length === 0 ? [] : ['envFrom: the pool has to have these variables']),
    ...((template.spec.initContainers ?? []).length === 0 ? [] : ['its init containers are left out']),
    ...((parallelism ?? 1) > 1 || (completions ?? 1) > 1
      ? ['it ran several times at once: one run is started']
      : []),
    ...(spec.suspend === true ? ['it was suspended: pause it before it is applied'] : []),
  ];
}
