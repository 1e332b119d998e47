import type { JobDefinition, RunDefinition } from '../jobs/index.ts';
import type { Delivery } from './run.ts';

/** What a run needs to be started and dealt with: of its job as it was when the run was made. Plain JSON. */
export interface RunSpec extends Delivery {
  readonly run: RunDefinition;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  readonly stdin: string | null;
  readonly timeout_ms: number | null;
  readonly kill_after_ms: number;
  readonly queue_timeout_ms: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly cost: number;
  /** Of runs of its job at a time, null: any number. */
  readonly limit: number | null;
  readonly limit_per_host: number | null;
  readonly limit_per_key: number | null;
  /** What tells it from other runs of its job, where those of one key are limited. */
  readonly concurrency_key: string | null;
  /** Of a backfill: so many of its runs at a time. */
  readonly group: { readonly name: string; readonly max: number } | null;
  /** The runs that it follows from. */
  readonly parents: readonly ParentResult[];
}

/** How a run ended that another one follows from. */
export interface ParentResult {
  readonly job: string;
  readonly key: string;
  readonly outcome: string;
  readonly code: number | null;
  /** What it returned, where that is small; else null. */
  readonly result: unknown;
}

/** The run of a job, with parameters of its own or those of the definition. */
export function specOf(
  definition: JobDefinition,
  {
    params,
    group = null,
    parents = [],
  }: { readonly params?: readonly unknown[] | undefined } & Partial<Pick<RunSpec, 'group' | 'parents'>> = {},
): RunSpec {
  const { run, concurrency, overlap } = definition;
  const own = 'class' in run && params !== undefined ? { class: run.class, params } : run;
  const all = 'class' in own ? own.params : [];
  return {
    run: own,
    env: definition.env,
    cwd: definition.cwd,
    stdin: definition.stdin,
    timeout_ms: definition.timeout_ms,
    kill_after_ms: definition.kill_after_ms,
    queue_timeout_ms: definition.queue_timeout_ms,
    delivery: definition.delivery,
    on_host_loss: definition.on_host_loss,
    retry: definition.retry,
    labels: definition.labels,
    cost: definition.cost,
    // What waits for the run before it is a limit of one.
    limit: overlap.policy === 'queue' ? 1 : concurrency.job,
    limit_per_host: concurrency.per_host,
    limit_per_key: concurrency.per_key,
    concurrency_key: concurrency.key === null ? null : textAt(all, concurrency.key),
    group,
    parents,
  };
}

/** RFC 6901. What is not there is the text "null", as is null: such runs belong together. */
function textAt(value: unknown, pointer: string): string {
  let at = value;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const inner: Readonly<Record<string, unknown>> = typeof at === 'object' && at !== null ? { ...at } : {};
    at = Object.hasOwn(inner, name) ? inner[name] : null;
  }
  return typeof at === 'string' ? at : JSON.stringify(at);
}
