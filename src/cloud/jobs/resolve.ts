import { type Findings, type KeyPath, parseDuration } from '../../document/index.ts';
import { CronPattern, ScheduleError, Zone } from '../scheduler/index.ts';
import type {
  BacklogSource,
  BlackoutDefinition,
  ConcurrencyDefinition,
  InstancesDefinition,
  JobDefinition,
  RetryPolicy,
  RunDefinition,
  ScheduleDefinition,
} from './definition.ts';
import { parseInstant } from './instant.ts';
import type { RawBlackout, RawInstances, RawJob, RawRetryPolicy, RawSchedule } from './schema.ts';

const KILL_AFTER_MS = 5_000;
const QUEUE_LIMIT = 1;
const MISFIRE_MAX = 1_000;
const NO_RETRY: RetryPolicy = { max: 0, backoff_ms: 10_000, factor: 2, max_backoff_ms: 3_600_000 };
/** Neither is the script's fault: it is tried again at once where it is allowed to run twice. */
const RETRY_LOST: RetryPolicy = { ...NO_RETRY, max: 3 };
const EVERY_MIN_MS = 1_000;
const BACKLOG_EVERY_MS = 15_000;
const COOL_DOWN_MS = 60_000;
/** What says when a job is to run. A job with instances runs at all times. */
const OF_A_SCHEDULE = ['schedule', 'start', 'end', 'blackout', 'after'] as const;

/** A job with all defaults; what the schema can't say goes to `findings`, by the path that `place` gives a key. */
export function resolveJob(
  project: string,
  name: string,
  raw: RawJob,
  place: (key: keyof RawJob) => KeyPath,
  findings: Findings,
): JobDefinition {
  return new Resolver(raw, place, findings).job(project, name);
}

class Resolver {
  readonly #raw: RawJob;
  readonly #place: (key: keyof RawJob) => KeyPath;
  readonly #findings: Findings;
  readonly #zone: Zone;

  constructor(raw: RawJob, place: (key: keyof RawJob) => KeyPath, findings: Findings) {
    this.#raw = raw;
    this.#place = place;
    this.#findings = findings;
    this.#zone = this.#zoneOf(raw.timezone ?? 'UTC', place('timezone'));
  }

  job(project: string, name: string): JobDefinition {
    const raw = this.#raw;
    const start_ms = this.#instant(raw.start, this.#place('start'), this.#zone);
    const end_ms = this.#instant(raw.end, this.#place('end'), this.#zone);
    if (start_ms !== null && end_ms !== null && end_ms <= start_ms)
      this.#findings.problem(this.#place('end'), 'has to be later than start');
    const misfire = typeof raw.misfire === 'object' ? raw.misfire : { policy: raw.misfire ?? 'once' };
    const overlap = typeof raw.overlap === 'object' ? raw.overlap : { policy: raw.overlap ?? 'skip' };
    const delivery = raw.delivery ?? 'at-most-once';
    return {
      project,
      name,
      description: raw.description ?? '',
      run: this.#run(),
      pool: this.#pool(),
      env: raw.env ?? {},
      cwd: raw.cwd ?? null,
      stdin: raw.stdin ?? null,
      schedule: this.#schedules(),
      start_ms,
      end_ms,
      jitter_ms: this.#ms(raw.jitter) ?? 0,
      blackout: (raw.blackout ?? []).flatMap((each, i) =>
        this.#blackout(each, [...this.#place('blackout'), i]),
      ),
      misfire: {
        policy: misfire.policy,
        within_ms: this.#ms(misfire.within),
        max: misfire.max ?? MISFIRE_MAX,
      },
      overlap: { policy: overlap.policy, limit: overlap.limit ?? QUEUE_LIMIT },
      instances: this.#instances(name, overlap.policy),
      timeout_ms: this.#ms(raw.timeout),
      kill_after_ms: this.#ms(raw.kill_after) ?? KILL_AFTER_MS,
      queue_timeout_ms: this.#ms(raw.queue_timeout),
      delivery,
      on_host_loss: this.#onHostLoss(delivery),
      retry: {
        failure: this.#retry(raw.retry?.failure, NO_RETRY),
        lost_process: this.#retry(
          raw.retry?.lost_process,
          delivery === 'at-least-once' ? RETRY_LOST : NO_RETRY,
        ),
        lost_host: this.#retry(raw.retry?.lost_host, delivery === 'at-least-once' ? RETRY_LOST : NO_RETRY),
      },
      priority: raw.priority ?? 0,
      concurrency: this.#concurrency(),
      labels: raw.labels ?? {},
      cost: raw.cost ?? 1,
      on_success: raw.on_success ?? [],
      on_failure: raw.on_failure ?? [],
      after: raw.after ?? [],
      params_schema: raw.params_schema ?? null,
      webhook: raw.webhook ?? false,
      shadow: raw.shadow ?? false,
      expect: {
        begun_within_ms: this.#ms(raw.expect?.begun_within),
        ended_within_ms: this.#ms(raw.expect?.ended_within),
      },
    };
  }

  #concurrency(): ConcurrencyDefinition {
    const { concurrency = {} } = this.#raw;
    const { job, per_host, per_key, key } =
      typeof concurrency === 'number' ? { job: concurrency } : concurrency;
    if ((per_key === undefined) !== (key === undefined))
      this.#findings.problem(this.#place('concurrency'), 'per_key and key belong together');
    return { job: job ?? null, per_host: per_host ?? null, per_key: per_key ?? null, key: key ?? null };
  }

  #run(): RunDefinition {
    const { class: ofClass, argv, params } = this.#raw;
    if (argv !== undefined) {
      if (ofClass !== undefined)
        this.#findings.problem(this.#place('argv'), 'a job has a class or an argv, not both');
      if (params !== undefined)
        this.#findings.problem(this.#place('params'), 'are for a class: a command has its arguments in argv');
      return { argv };
    }
    if (ofClass === undefined)
      this.#findings.problem(
        this.#place('class'),
        'missing: a job needs a class (of a php, node or python pool) or an argv',
      );
    return { class: ofClass ?? '', params: params ?? [] };
  }

  #pool(): string {
    if (this.#raw.pool === undefined)
      this.#findings.problem(this.#place('pool'), 'missing: expected the name of a pool');
    return this.#raw.pool ?? '';
  }

  #onHostLoss(delivery: JobDefinition['delivery']): JobDefinition['on_host_loss'] {
    const said = this.#raw.on_host_loss;
    if (said === 'rerun' && delivery === 'at-most-once')
      this.#findings.problem(this.#place('on_host_loss'), 'rerun may run it twice', {
        hint: 'it needs delivery: at-least-once',
      });
    // Of instances another one takes its place: what it was at work on is in its queue.
    return said ?? (this.#raw.instances === undefined ? 'wait' : 'fail');
  }

  #instances(name: string, overlap: JobDefinition['overlap']['policy']): InstancesDefinition | null {
    const { instances } = this.#raw;
    if (instances === undefined) return null;
    for (const key of OF_A_SCHEDULE)
      if (this.#raw[key] !== undefined)
        this.#findings.problem(this.#place(key), `${name} has instances, which run at all times`, {
          hint: `take out ${key} or instances`,
        });
    if (overlap === 'queue' || overlap === 'replace')
      this.#findings.problem(this.#place('overlap'), `${name} has instances, which run beside each other`);
    const definition =
      typeof instances === 'number'
        ? { min: instances, max: instances, backlog: null }
        : this.#followingBacklog(instances);
    const { job } = this.#concurrency();
    if (job !== null && job < definition.max)
      this.#findings.problem(
        this.#place('concurrency'),
        `${name} has up to ${definition.max} instances: so many have to be allowed`,
      );
    return definition;
  }

  #followingBacklog(raw: RawInstances): InstancesDefinition {
    const path = this.#place('instances');
    const { min = 0, max, per } = raw;
    const every_ms = this.#ms(raw.every) ?? BACKLOG_EVERY_MS;
    if (min > max) this.#findings.problem([...path, 'min'], 'has to be max at most');
    if (every_ms < EVERY_MIN_MS) this.#findings.problem([...path, 'every'], 'has to be 1s at least');
    const cool_down_ms = this.#ms(raw.cool_down) ?? COOL_DOWN_MS;
    return { min, max, backlog: { from: this.#backlogSource(raw, path), per, every_ms, cool_down_ms } };
  }

  #backlogSource({ command, http, postgres }: RawInstances, path: KeyPath): BacklogSource {
    if ([command, http, postgres].filter((each) => each !== undefined).length !== 1)
      this.#findings.problem(path, 'expected exactly one of command, http and postgres', {
        hint: 'a number alone, as in instances: 3, needs none',
      });
    if (http !== undefined) {
      const url = URL.parse(http);
      if (url === null || !/^https?:$/.test(url.protocol))
        this.#findings.problem([...path, 'http'], 'expected a URL of http or https');
      else if (url.username !== '' || url.password !== '')
        this.#findings.problem([...path, 'http'], 'a definition is no place for a password');
      return { http };
    }
    return postgres === undefined ? { command: command ?? [] } : { postgres };
  }

  #schedules(): ScheduleDefinition[] {
    const { schedule } = this.#raw;
    const path = this.#place('schedule');
    if (schedule === undefined) return [];
    if (!Array.isArray(schedule)) return this.#schedule(schedule, path);
    return schedule.flatMap((each, i) => this.#schedule(each, [...path, i]));
  }

  #schedule(raw: RawSchedule, path: KeyPath): ScheduleDefinition[] {
    const { cron, every, offset, at, timezone } = typeof raw === 'string' ? { cron: raw } : raw;
    if ([cron, every, at].filter((each) => each !== undefined).length !== 1) {
      this.#findings.problem(path, 'expected exactly one of cron, every and at');
      return [];
    }
    if (offset !== undefined && every === undefined)
      this.#findings.problem([...path, 'offset'], 'belongs to every');
    const zone = timezone === undefined ? this.#zone : this.#zoneOf(timezone, [...path, 'timezone']);
    if (cron !== undefined) return this.#cron(cron, typeof raw === 'string' ? path : [...path, 'cron'], zone);
    if (every !== undefined) {
      const every_ms = parseDuration(every);
      if (every_ms < EVERY_MIN_MS) this.#findings.problem([...path, 'every'], 'has to be 1s at least');
      return [{ every_ms, offset_ms: this.#ms(offset) ?? 0 }];
    }
    const at_ms = this.#instant(at, [...path, 'at'], zone);
    return at_ms === null ? [] : [{ at_ms }];
  }

  #cron(cron: string, path: KeyPath, zone: Zone): { cron: string; timezone: string }[] {
    try {
      return [{ cron: new CronPattern(cron).text, timezone: zone.name }];
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      this.#findings.problem(path, error.message);
      return [];
    }
  }

  #blackout(raw: RawBlackout, path: KeyPath): BlackoutDefinition[] {
    const { from, to, cron, for: lasting, timezone } = raw;
    const zone = timezone === undefined ? this.#zone : this.#zoneOf(timezone, [...path, 'timezone']);
    if (cron !== undefined && lasting !== undefined && from === undefined && to === undefined) {
      const for_ms = parseDuration(lasting);
      return this.#cron(cron, [...path, 'cron'], zone).map((pattern) => ({ ...pattern, for_ms }));
    }
    if (from !== undefined && to !== undefined && cron === undefined && lasting === undefined) {
      const from_ms = this.#instant(from, [...path, 'from'], zone);
      const to_ms = this.#instant(to, [...path, 'to'], zone);
      if (from_ms === null || to_ms === null) return [];
      if (to_ms <= from_ms) this.#findings.problem([...path, 'to'], 'has to be later than from');
      return [{ from_ms, to_ms }];
    }
    this.#findings.problem(path, 'expected from and to, or cron and for');
    return [];
  }

  #retry(raw: RawRetryPolicy | undefined, standard: RetryPolicy): RetryPolicy {
    const max = raw?.max ?? (raw === undefined ? standard.max : Math.max(1, standard.max));
    const backoff_ms = this.#ms(raw?.backoff) ?? standard.backoff_ms;
    return {
      max,
      backoff_ms,
      factor: raw?.factor ?? standard.factor,
      max_backoff_ms: Math.max(backoff_ms, this.#ms(raw?.max_backoff) ?? standard.max_backoff_ms),
    };
  }

  #zoneOf(name: string, path: KeyPath): Zone {
    try {
      return Zone.of(name);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      this.#findings.problem(path, error.message);
      return Zone.of('UTC');
    }
  }

  #instant(text: string | undefined, path: KeyPath, zone: Zone): number | null {
    if (text === undefined) return null;
    const instant = parseInstant(text, zone);
    if (instant === null) this.#findings.problem(path, `there is no such time: ${text}`);
    return instant;
  }

  #ms(duration: string | undefined): number | null {
    return duration === undefined ? null : parseDuration(duration);
  }
}
