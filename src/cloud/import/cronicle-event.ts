// One event of Cronicle as a job: docs/APIReference.md of Cronicle, "Event Data Format".
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { formatSize } from '../../document/index.ts';
import type { RawJob } from '../jobs/index.ts';
import { cronicleTiming, timesOf } from './cronicle-timing.ts';
import { cleanName } from './job-names.ts';
import { startOf } from './shebang.ts';

/** Checkboxes are booleans, 0 and 1. */
const Flag = Type.Optional(Type.Union([Type.Boolean(), Type.Literal(0), Type.Literal(1)]));
const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const Count = Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }));
const Amount = Type.Optional(Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }));

/** What is read of one; whatever else it says is left alone. */
const cronicleEvent = Type.Object({
  id: Type.Optional(Type.String()),
  title: Type.String(),
  enabled: Flag,
  category: Text,
  plugin: Type.String(),
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  target: Text,
  algo: Text,
  multiplex: Flag,
  timing: Type.Optional(Type.Union([cronicleTiming, Type.Literal(false), Type.Literal(0), Type.Null()])),
  timezone: Text,
  timeout: Count,
  max_children: Count,
  retries: Count,
  retry_delay: Count,
  catch_up: Flag,
  queue: Flag,
  queue_max: Count,
  chain: Text,
  chain_error: Text,
  notify_success: Text,
  notify_fail: Text,
  web_hook: Text,
  cpu_limit: Amount,
  memory_limit: Amount,
  notes: Text,
});
export type CronicleEvent = Static<typeof cronicleEvent>;
const validator = Compile(cronicleEvent);

/** What the export says beside its events, each by its id. An answer of the API has nothing of it. */
export interface CronicleSetting {
  readonly plugins: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly categories: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly groups: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

export interface CronicleOptions {
  /** Of events whose plugin names no user. */
  readonly pool: string;
  /** Of events that name none: that of the primary server. */
  readonly timezone: string;
}

/** The event as it has to be, or what is wrong with it. */
export function readEvent(value: unknown): CronicleEvent | string {
  if (validator.Check(value)) return value;
  const [error] = validator.Errors(value);
  return `${error?.instancePath.slice(1).replaceAll('/', '.') ?? ''}: ${error?.message ?? 'not understood'}`;
}

export interface EventJob {
  readonly job: RawJob;
  /** That the pool of the job has to run as. */
  readonly user: string | null;
  readonly remarks: readonly string[];
}

/** Without what its chains lead to, which have names only when all are read. */
export function jobOfEvent(
  event: CronicleEvent,
  setting: CronicleSetting,
  options: CronicleOptions,
): EventJob | { readonly impossible: string } {
  const plugin = setting.plugins.get(event.plugin) ?? {};
  if (!isShell(event.plugin, plugin))
    return {
      impossible: `it runs by the plugin ${titleOf(plugin, event.plugin)}: only shell scripts can be converted`,
    };
  const script = event.params?.script;
  if (typeof script !== 'string') return { impossible: 'it has no script' };
  const started = startOf(script.replaceAll('\r\n', '\n'));
  if ('impossible' in started) return started;
  const { timing } = event;
  const times = timing ? timesOf(timing) : {};
  const hindrance = hindranceOf(event, plugin, setting);
  const { labels, where } = placeOf(event, setting);
  const user = userOf(plugin);
  const description = descriptionOf(event, setting);
  const job: RawJob = {
    ...(description === '' ? {} : { description }),
    pool: user === null ? options.pool : cleanName(`cron-${user}`),
    ...(labels === null ? {} : { labels }),
    argv: [...started.argv],
    ...(started.stdin === null ? {} : { stdin: started.stdin }),
    ...(typeof plugin.cwd === 'string' && plugin.cwd !== '' ? { cwd: plugin.cwd } : {}),
    timezone: event.timezone || options.timezone,
    ...(hindrance === null ? times : {}),
    ...concurrencyOf(event),
    misfire: event.catch_up ? 'all' : 'skip',
    ...(event.timeout ? { timeout: `${event.timeout}s` } : {}),
    ...(event.retries
      ? { retry: { failure: { max: event.retries, backoff: `${event.retry_delay ?? 0}s`, factor: 1 } } }
      : {}),
  };
  const remarks = [
    ...(hindrance === null ? [] : [switchedOff(hindrance, times)]),
    ...(timing ? [] : ['it has no times: it runs when it is asked for']),
    ...where,
    ...remarksOn(event, script, setting),
  ];
  return { job, user, remarks };
}

/** Null: that of Cronicle itself. */
function userOf({ uid }: Readonly<Record<string, unknown>>): string | null {
  return typeof uid === 'string' || typeof uid === 'number' ? `${uid}` || null : null;
}

/** The one that comes with it, or a copy of it with another user or folder. */
function isShell(id: string, { command }: Readonly<Record<string, unknown>>): boolean {
  return id === 'shellplug' || (typeof command === 'string' && /\bshell-plugin\.js\b/.test(command));
}

function titleOf(record: Readonly<Record<string, unknown>> | undefined, id: string): string {
  const title = record?.title;
  return typeof title === 'string' && title !== '' ? `‘${title}’ (${id})` : id;
}

function isOff(record: Readonly<Record<string, unknown>> | undefined): boolean {
  return record?.enabled === 0 || record?.enabled === false;
}

function hindranceOf(
  event: CronicleEvent,
  plugin: Readonly<Record<string, unknown>>,
  { categories }: CronicleSetting,
): string | null {
  if (event.enabled === undefined || !event.enabled) return 'it';
  if (isOff(plugin)) return 'its plugin';
  return isOff(categories.get(event.category ?? '')) ? 'its category' : null;
}

function switchedOff(what: string, { schedule }: Pick<RawJob, 'schedule'>): string {
  const times = schedule === undefined ? '' : ` '${schedule}'`;
  return `${what} was disabled: its schedule${times} is left out, and it runs when it is asked for`;
}

/** A server is in several groups, and so each group is a label. */
function placeOf(
  { target, multiplex, algo }: CronicleEvent,
  { groups }: CronicleSetting,
): { labels: Readonly<Record<string, string>> | null; where: string[] } {
  const group = groups.get(target ?? '');
  const isAny = !target || target === 'allgrp' || /^\.[+*]$/.test(`${group?.regexp ?? ''}`);
  const isEach = multiplex === 1 || multiplex === true || algo === 'multiplex';
  const each = isEach
    ? ['it ran on all of its servers at once, and each run is on one host: make a job for each']
    : [];
  if (isAny) return { labels: null, where: each };
  const [key, value] =
    typeof group?.title === 'string' ? [cleanName(group.title), 'true'] : ['server', target.slice(0, 255)];
  const where = `it ran on ${titleOf(group, target)}: its hosts need the label ${key}: ${value}`;
  return { labels: { [key]: value }, where: [where, ...each] };
}

function descriptionOf({ notes, category }: CronicleEvent, { categories }: CronicleSetting): string {
  const record = categories.get(category ?? '');
  const title = typeof record?.title === 'string' ? record.title : category;
  const lines = [notes?.trim(), title && category !== 'general' ? `Category: ${title}` : null];
  return lines
    .filter((line) => line)
    .join('\n')
    .slice(0, 4096);
}

function concurrencyOf(event: CronicleEvent): Pick<RawJob, 'overlap' | 'concurrency'> {
  const { max_children: atOnce = 0, queue, queue_max: longest, catch_up } = event;
  if (atOnce === 0) return { overlap: 'allow' };
  if (atOnce > 1) return { overlap: 'allow', concurrency: Math.min(atOnce, MANY) };
  // With "Run All" it is tried again until each has run.
  if (queue || catch_up)
    return { overlap: { policy: 'queue', limit: catch_up ? MANY : Math.min(longest || MANY, MANY) } };
  return { overlap: 'skip' };
}
/** The most that a job file takes. */
const MANY = 100_000;

function remarksOn(event: CronicleEvent, script: string, { categories }: CronicleSetting): string[] {
  const category = categories.get(event.category ?? '');
  const limit = (own: number | undefined, key: string): number => own || Number(category?.[key] ?? 0) || 0;
  const memory = limit(event.memory_limit, 'memory_limit');
  const cpu = limit(event.cpu_limit, 'cpu_limit');
  const atOnce = event.max_children ?? 0;
  const said: readonly (readonly [unknown, string])[] = [
    [
      atOnce > 1 && !event.queue && !event.catch_up,
      `one more than ${atOnce} at once waits for its turn; it was left out before`,
    ],
    [
      atOnce > 1 && event.queue && event.queue_max,
      `any number of them wait; it was ${event.queue_max} before`,
    ],
    [
      Number(category?.max_children ?? 0) > 0,
      `its category let ${category?.max_children} run at once: let its pool do that`,
    ],
    [event.timeout && event.retries, 'its timeout is that of each try; it was that of all of them'],
    [
      event.catch_up,
      'it was run again when its server had died: that needs delivery: at-least-once, where it may run twice',
    ],
    [event.notify_success, `its successes were mailed to ${event.notify_success}`],
    [event.notify_fail, `its failures were mailed to ${event.notify_fail}: set up an alert`],
    [event.web_hook, 'it called a web hook when it began and ended: set one up'],
    [cpu, `it was ended above ${cpu} % of CPU: its pool has to set a limit`],
    [memory, `it was ended above ${formatSize(memory)} of memory: its pool has to set a limit`],
    [event.params?.json, 'JSON that it prints was understood: it is a line of the log now'],
    [/\bJOB_[A-Z]/.test(script), 'its script reads variables of Cronicle (JOB_…), which are not set'],
    [
      /php:\/\/stdin|\bSTDIN\b|sys\.stdin|process\.stdin/.test(script),
      'its script seems to read its input, which was what Cronicle said of the job',
    ],
  ];
  return said.filter(([holds]) => holds).map(([, remark]) => remark);
}
