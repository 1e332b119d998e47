// Cronicle's `control.sh export` (one record a line, `KEY - JSON`), and what its API answers to get_schedule:
// docs/CommandLine.md and docs/APIReference.md of https://github.com/jhuckaby/Cronicle
import type { RawJob } from '../jobs/index.ts';
import { type CronicleEvent, type CronicleOptions, jobOfEvent, readEvent } from './cronicle-event.ts';
import { type Imported, type ImportedLine, problemOfJob } from './imported.ts';
import { JobNames } from './job-names.ts';

/** Each event is a line of the report, and so is each record that is none. Never throws. */
export function importCronicle(text: string, options: CronicleOptions, names = new JobNames()): Imported {
  const reader = new CronicleReader(options, names);
  if (/^\s*\{/.test(text)) reader.readAnswer(text);
  else reader.readExport(text);
  return reader.imported();
}

type Became = Omit<ImportedLine, 'line' | 'text'>;

/** An event, and the place of its line in the report: it is known what became of it when all are read. */
interface Found {
  readonly at: number;
  readonly value: unknown;
}

const RECORD = /^(\S+) +- +(.*)$/;
const PAGE = /^global\/([a-z_]+)\/-?\d+$/;
const IGNORED: Became = { became: 'ignored', job: null, remarks: [] };

class CronicleReader {
  readonly #options: CronicleOptions;
  readonly #names: JobNames;
  readonly #lines: ImportedLine[] = [];
  readonly #found: Found[] = [];
  readonly #setting = { plugins: newRecords(), categories: newRecords(), groups: newRecords() };

  constructor(options: CronicleOptions, names: JobNames) {
    this.#options = options;
    this.#names = names;
  }

  readExport(text: string): void {
    text.split(/\r?\n/).forEach((line, i) => {
      // The end of the last line is no line.
      if (line !== '' || i === 0) this.#readRecord(line, i + 1);
    });
  }

  #readRecord(text: string, line: number): void {
    if (text.trim() === '' || text.startsWith('#')) {
      this.#lines.push({ line, text, ...IGNORED });
      return;
    }
    const [, key, json] = RECORD.exec(text) ?? [];
    // What is not understood may be a password all the same, and so is not shown.
    if (key === undefined || json === undefined) {
      const why = 'this is no line of an export: expected a key, a dash and JSON';
      this.#lines.push({ line, text: '', ...impossible(why) });
      return;
    }
    const list = PAGE.exec(key)?.[1];
    const records = list === undefined ? undefined : this.#recordsOf(list);
    if (list !== 'schedule' && records === undefined) {
      this.#lines.push({ line, text: key, ...IGNORED, remarks: remarksOnRecord(key) });
      return;
    }
    const page = parse(json);
    if (!isObject(page) || !Array.isArray(page.items)) {
      this.#lines.push({ line, text: key, ...impossible('expected JSON with a list of items') });
      return;
    }
    if (records === undefined) {
      for (const event of page.items) this.#findEvent(event, line);
      if (page.items.length === 0) this.#lines.push({ line, text: key, ...IGNORED });
      return;
    }
    for (const item of page.items)
      if (isObject(item) && typeof item.id === 'string') records.set(item.id, item);
    this.#lines.push({ line, text: key, became: 'setting', job: null, remarks: [] });
  }

  #recordsOf(list: string): Map<string, Readonly<Record<string, unknown>>> | undefined {
    if (list === 'plugins') return this.#setting.plugins;
    if (list === 'categories') return this.#setting.categories;
    return list === 'server_groups' ? this.#setting.groups : undefined;
  }

  readAnswer(text: string): void {
    const answer = parse(text);
    if (!isObject(answer) || !Array.isArray(answer.rows)) {
      const why =
        'this is neither an export nor an answer to get_schedule: expected JSON with a list of rows';
      this.#lines.push({ line: 1, text: '', ...impossible(why) });
      return;
    }
    for (const event of answer.rows) this.#findEvent(event, lineOfEvent(text, event));
    const total = isObject(answer.list) ? answer.list.length : undefined;
    if (typeof total === 'number' && total > answer.rows.length) {
      const why = `these are ${answer.rows.length} of ${total} events: ask get_schedule for all (limit)`;
      this.#lines.push({ line: 1, text: '', ...impossible(why) });
    }
  }

  #findEvent(value: unknown, line: number): void {
    const title = isObject(value) && typeof value.title === 'string' ? ` ${value.title}` : '';
    this.#found.push({ at: this.#lines.length, value });
    this.#lines.push({ line, text: `event${title}`, ...IGNORED });
  }

  imported(): Imported {
    const jobs: Record<string, RawJob> = {};
    const pools = new Map<string, string | null>();
    const events = new Map<string, { readonly event: CronicleEvent; readonly at: number }>();
    const nameOfId = new Map<string, string>();
    for (const { at, value } of this.#found) {
      const event = readEvent(value);
      const made =
        typeof event === 'string' ? { impossible: event } : jobOfEvent(event, this.#setting, this.#options);
      const problem = 'impossible' in made ? made.impossible : problemOfJob(made.job);
      if (problem !== null || typeof event === 'string' || 'impossible' in made) {
        this.#became(at, impossible(problem ?? ''));
        continue;
      }
      const name = this.#names.take(event.title);
      jobs[name] = made.job;
      pools.set(made.job.pool ?? '', made.user);
      if (event.id !== undefined) nameOfId.set(event.id, name);
      events.set(name, { event, at });
      this.#became(at, { became: 'job', job: name, remarks: made.remarks });
    }
    for (const [name, { event, at }] of events) {
      const { keys, remarks } = chainsOf(event, nameOfId);
      jobs[name] = { ...jobs[name], ...keys };
      this.#became(at, {
        became: 'job',
        job: name,
        remarks: [...(this.#lines[at]?.remarks ?? []), ...remarks],
      });
    }
    return { jobs, lines: this.#lines, pools };
  }

  #became(at: number, became: Became): void {
    const line = this.#lines[at];
    if (line !== undefined) this.#lines[at] = { ...line, ...became };
  }
}

/** What is started after it; events that became no job are told. */
function chainsOf(
  { chain, chain_error }: CronicleEvent,
  nameOfId: ReadonlyMap<string, string>,
): { keys: Pick<RawJob, 'on_success' | 'on_failure'>; remarks: string[] } {
  const success = chain ? nameOfId.get(chain) : undefined;
  const failure = chain_error ? nameOfId.get(chain_error) : undefined;
  const lost = (id: string | null | undefined, name: string | undefined, when: string): string[] =>
    id && name === undefined ? [`it started event ${id} when it had ${when}, which became no job`] : [];
  return {
    keys: {
      ...(success === undefined ? {} : { on_success: [success] }),
      ...(failure === undefined ? {} : { on_failure: [failure] }),
    },
    remarks: [...lost(chain, success, 'succeeded'), ...lost(chain_error, failure, 'failed')],
  };
}

function remarksOnRecord(key: string): string[] {
  if (key.startsWith('users/')) return ['people and their passwords are left out'];
  return key.startsWith('global/api_keys/') ? ['keys of the API are left out'] : [];
}

/** That in which its id stands. */
function lineOfEvent(text: string, event: unknown): number {
  if (!isObject(event) || typeof event.id !== 'string') return 1;
  const id = JSON.stringify(event.id).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const at = text.search(new RegExp(`"id"\\s*:\\s*${id}`));
  return text.slice(0, Math.max(0, at)).split('\n').length;
}

function newRecords(): Map<string, Readonly<Record<string, unknown>>> {
  return new Map();
}

function impossible(why: string): Became {
  return { became: 'impossible', job: null, remarks: [why] };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
