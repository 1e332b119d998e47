import type { JobDefinition } from '../jobs/index.ts';
import type { AppliedJob, JobId, JobPause, Store } from '../store/index.ts';

/** What is kept in memory of each job; a definition is fetched when it is needed. */
export interface JobEntry {
  readonly id: JobId;
  readonly project: string;
  readonly name: string;
  readonly version: number;
  readonly updatedMs: number;
  readonly pause: JobPause | null;
  readonly isScheduled: boolean;
  /** A new run of it ends those before. */
  readonly replaces: boolean;
  /** Null: nothing is expected of its runs. */
  readonly expect: JobDefinition['expect'] | null;
  /**
   * Kept where it follows from runs of other jobs, or they from its: that is decided in one go with an outcome; and where
   * it wants instances at all times.
   */
  definition: JobDefinition | null;
}

const MAX_DEFINITIONS = 1_000;

/** The jobs that there are, by id and by name. */
export class JobBook {
  readonly #store: Store;
  readonly #entries = new Map<JobId, JobEntry>();
  readonly #byName = new Map<string, JobId>();
  /** By id: those used of late, in the order of their use. */
  readonly #definitions = new Map<JobId, { readonly version: number; readonly definition: JobDefinition }>();
  /** Names of jobs that follow from others by `after`. */
  readonly #followers = new Map<string, Set<JobId>>();
  /** Names of jobs that others start: their definitions have to be at hand. */
  readonly #started = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  get all(): Iterable<JobEntry> {
    return this.#entries.values();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: JobId): JobEntry | undefined {
    return this.#entries.get(id);
  }

  find(project: string, name: string): JobEntry | undefined {
    const id = this.#byName.get(`${project}/${name}`);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  /** Jobs of a project that have this one among their `after`. */
  followersOf(project: string, name: string): readonly JobEntry[] {
    return [...(this.#followers.get(`${project}/${name}`) ?? [])].flatMap(
      (id) => this.#entries.get(id) ?? [],
    );
  }

  put(job: AppliedJob): void {
    this.remove(job.id);
    const { id, version, updatedMs, pause, definition } = job;
    const { project, name, on_success, on_failure, after } = definition;
    const started = [...on_success, ...on_failure].map((each) => `${project}/${each}`);
    for (const each of started) this.#started.add(each);
    const place = `${project}/${name}`;
    const isChained = started.length + after.length > 0 || this.#started.has(place);
    this.#entries.set(id, {
      ...{ id, project, name, version, updatedMs, pause },
      isScheduled: definition.schedule.length > 0,
      replaces: definition.overlap.policy === 'replace',
      expect: expectationOf(definition),
      definition: isChained || definition.instances !== null ? definition : null,
    });
    this.#byName.set(place, id);
    for (const parent of after) {
      const followers = this.#followers.get(`${project}/${parent}`);
      if (followers === undefined) this.#followers.set(`${project}/${parent}`, new Set([id]));
      else followers.add(id);
    }
    this.#keep(id, version, definition);
  }

  /** After the last `put`: what has to be at hand is fetched where it is not. */
  async settle(): Promise<void> {
    const missing = [...this.#started].flatMap((place) => {
      const id = this.#byName.get(place);
      return id === undefined || this.#entries.get(id)?.definition !== null ? [] : id;
    });
    for (const [id, definition] of await this.definitions(missing)) {
      const entry = this.#entries.get(id);
      if (entry !== undefined) entry.definition = definition;
    }
  }

  remove(id: JobId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#definitions.delete(id);
    const place = `${entry.project}/${entry.name}`;
    if (this.#byName.get(place) === id) this.#byName.delete(place);
    for (const parent of entry.definition?.after ?? [])
      this.#followers.get(`${entry.project}/${parent}`)?.delete(id);
  }

  /** The definition that is in force. Null: the job is gone. */
  async definition(id: JobId): Promise<JobDefinition | null> {
    return (await this.definitions([id])).get(id) ?? null;
  }

  async definitions(ids: readonly JobId[]): Promise<ReadonlyMap<JobId, JobDefinition>> {
    const found = new Map<JobId, JobDefinition>();
    const missing: JobId[] = [];
    for (const id of ids) {
      const kept = this.#definitions.get(id);
      if (kept !== undefined && kept.version === this.#entries.get(id)?.version) {
        found.set(id, kept.definition);
        this.#keep(id, kept.version, kept.definition);
      } else missing.push(id);
    }
    for (const { id, version, definition } of await this.#store.jobs.many(missing)) {
      found.set(id, definition);
      this.#keep(id, version, definition);
    }
    return found;
  }

  #keep(id: JobId, version: number, definition: JobDefinition): void {
    this.#definitions.delete(id);
    this.#definitions.set(id, { version, definition });
    if (this.#definitions.size <= MAX_DEFINITIONS) return;
    for (const oldest of this.#definitions.keys()) {
      this.#definitions.delete(oldest);
      return;
    }
  }
}

function expectationOf({ expect }: JobDefinition): JobDefinition['expect'] | null {
  return expect.begun_within_ms === null && expect.ended_within_ms === null ? null : expect;
}
