// crontab(5) as Debian's cron and cronie read it: https://manpages.debian.org/bookworm/cron/crontab.5
import type { RawJob } from '../jobs/index.ts';
import { CronPattern, ScheduleError } from '../scheduler/index.ts';
import { type Imported, type ImportedLine, problemOfJob } from './imported.ts';
import { cleanName, JobNames } from './job-names.ts';

export interface CrontabOptions {
  /** As in /etc/crontab and /etc/cron.d: the sixth field is the user. */
  readonly withUsers: boolean;
  /** Of jobs without a user of their own. */
  readonly pool: string;
  /** That of the machine which the crontab comes from. */
  readonly timezone: string;
}

const SETTING = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/;
const QUOTED = /^(["'])(.*)\1$/;
const NICKNAME = /^@[a-z]+$/i;
/** What cron itself gives to its jobs; the pool's user and its environment do here. */
const OF_CRON = new Set(['HOME', 'LOGNAME', 'USER']);
const FIELDS = 5;

/** Each line is a job, a setting for those after it, or said to be neither. Never throws. */
export function importCrontab(text: string, options: CrontabOptions, names = new JobNames()): Imported {
  const reader = new CrontabReader(options, names);
  text.split(/\r?\n/).forEach((line, i) => {
    // The end of the last line is no line.
    if (line !== '' || i === 0) reader.read(line, i + 1);
  });
  return reader.imported();
}

class CrontabReader {
  readonly #options: CrontabOptions;
  readonly #names: JobNames;
  readonly #jobs: Record<string, RawJob> = {};
  readonly #lines: ImportedLine[] = [];
  readonly #pools = new Map<string, string | null>();
  readonly #env: Record<string, string> = {};
  #shell = '/bin/sh';
  #timezone: string;
  #mailTo: string | null = null;

  constructor(options: CrontabOptions, names: JobNames) {
    this.#options = options;
    this.#names = names;
    this.#timezone = options.timezone;
  }

  imported(): Imported {
    return { jobs: this.#jobs, lines: this.#lines, pools: this.#pools };
  }

  read(text: string, line: number): void {
    this.#lines.push({ line, text, ...this.#becomes(text) });
  }

  #becomes(text: string): Pick<ImportedLine, 'became' | 'job' | 'remarks'> {
    const trimmed = text.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return { became: 'ignored', job: null, remarks: [] };
    const setting = SETTING.exec(text);
    if (setting !== null) {
      const [, name = '', value = ''] = setting;
      return { became: 'setting', job: null, remarks: this.#set(name, value) };
    }
    const entry = splitEntry(trimmed, this.#options.withUsers);
    if (typeof entry === 'string') return impossible(entry);
    const schedule = scheduleOf(entry.when);
    if ('impossible' in schedule) return impossible(schedule.impossible);
    const { command, stdin } = splitCommand(entry.command);
    if (command === '') return impossible('it has no command');
    const made: RawJob = {
      pool: poolOf(entry.user) ?? this.#options.pool,
      argv: [this.#shell, '-c', command],
      ...(stdin === null ? {} : { stdin }),
      ...(Object.keys(this.#env).length === 0 ? {} : { env: { ...this.#env } }),
      timezone: this.#timezone,
      schedule: schedule.cron,
      // cron starts it whatever goes on, and makes up for nothing.
      overlap: 'allow',
      misfire: 'skip',
    };
    const problem = problemOfJob(made);
    if (problem !== null) return impossible(problem);
    const job = this.#names.take(wordFor(command));
    this.#jobs[job] = made;
    this.#pools.set(made.pool ?? '', entry.user);
    return { became: 'job', job, remarks: [...schedule.remarks, ...this.#remarks()] };
  }

  #set(name: string, written: string): string[] {
    const value = QUOTED.exec(written)?.[2] ?? written;
    if (name === 'SHELL') this.#shell = value;
    else if (name === 'CRON_TZ') this.#timezone = value;
    else if (name === 'MAILTO') this.#mailTo = value;
    else if (name === 'MAILFROM' || name === 'RANDOM_DELAY')
      return [
        `${name} has no counterpart: what is printed goes to the run's log, and a delay is the key jitter`,
      ];
    else if (OF_CRON.has(name)) return [`${name} comes from the user of the pool`];
    else this.#env[name] = value;
    return [];
  }

  #remarks(): string[] {
    const remarks: string[] = [];
    if (this.#mailTo !== null && this.#mailTo !== '')
      remarks.push(`what it printed was mailed to ${this.#mailTo}: it goes to the run's log`);
    if (Object.keys(this.#env).length > 0)
      remarks.push(`its pool has to allow the variables ${Object.keys(this.#env).join(', ')}`);
    return remarks;
  }
}

function poolOf(user: string | null): string | null {
  return user === null ? null : cleanName(`cron-${user}`);
}

/** What a job of this command is called: its program, or its script. */
function wordFor(command: string): string {
  const words = command
    .replaceAll(/\bcd\s+\S+/g, '')
    .split(/[\s;&|<>()]+/)
    .filter((word) => /[A-Za-z0-9]/.test(word) && !/^(?:-|[A-Za-z_]\w*=)/.test(word));
  const program = words.find((word) => !SHELL_WORDS.has(word)) ?? 'job';
  const script = words.find((word) => /\.(?:php|py|sh|pl|js|ts|rb)$/.test(word));
  return (script ?? program).replace(/\/+$/, '').split('/').at(-1) ?? 'job';
}

const SHELL_WORDS = new Set([
  'test',
  'exec',
  'if',
  'then',
  'sleep',
  'nice',
  'ionice',
  'flock',
  'timeout',
  'sudo',
  'env',
  'time',
  'true',
  'set',
  'root',
  'php',
  'python',
  'python3',
  'perl',
  'sh',
  'bash',
  'node',
  '.',
]);

function impossible(why: string): Pick<ImportedLine, 'became' | 'job' | 'remarks'> {
  return { became: 'impossible', job: null, remarks: [why] };
}

interface Entry {
  readonly when: string;
  readonly user: string | null;
  readonly command: string;
}

/** Or why it is none. */
function splitEntry(text: string, withUsers: boolean): Entry | string {
  const isNickname = text.startsWith('@');
  const count = (isNickname ? 1 : FIELDS) + (withUsers ? 1 : 0);
  const words = new RegExp(`^${'(\\S+)\\s+'.repeat(count)}(.+)$`).exec(text);
  if (words === null) {
    const wanted = isNickname ? 'a nickname' : 'five fields of time';
    return `this is no line of a crontab: expected ${wanted}${withUsers ? ', a user' : ''} and a command`;
  }
  const fields = words.slice(1, count + 1);
  const user = withUsers ? (fields.pop() ?? null) : null;
  return { when: fields.join(' '), user, command: words[count + 1] ?? '' };
}

/** The pattern as we write it, or why there is none. */
function scheduleOf(when: string): { cron: string; remarks: string[] } | { impossible: string } {
  if (when.toLowerCase() === '@reboot')
    return {
      impossible:
        '@reboot is no time: let the service manager start it, or keep it running as instances of a job',
    };
  if (when.includes('~'))
    return { impossible: 'a random time (~) can’t be imported: choose a time, or use the key jitter' };
  const cron = NICKNAME.test(when) ? when.toLowerCase() : bothDays(when);
  try {
    new CronPattern(cron);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    return { impossible: error.message };
  }
  const remarks =
    cron === when || NICKNAME.test(when) ? [] : [`its days are written '${cron}': both have to fit`];
  return { cron, remarks };
}

/**
 * Of day of the month and day of the week one has to fit; but both, where either begins with a star (crontab(5),
 * "Note: The day of a command's execution…"). Croner writes the latter with a plus.
 */
function bothDays(when: string): string {
  const fields = when.split(' ');
  const [, , day = '*', , weekday = '*'] = fields;
  const isAnd = day !== '*' && weekday !== '*' && (day.startsWith('*') || weekday.startsWith('*'));
  return isAnd ? [...fields.slice(0, -1), `+${weekday}`].join(' ') : when;
}

/** The first `%` ends the command, and what follows is its input, where each further one ends a line; `\%` is a `%`. */
function splitCommand(text: string): { command: string; stdin: string | null } {
  const [command = '', ...input] = text.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'));
  return { command: command.trim(), stdin: input.length === 0 ? null : `${input.join('\n')}\n` };
}
