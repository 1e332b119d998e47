import type { HostView } from '../placement/index.ts';
import type { RunKey } from '../store/index.ts';
import type { HostLink } from './dispatcher.ts';

/** A host, and what it has been given. */
export interface HostSlot extends HostView {
  readonly id: string;
  name: string;
  contact: HostView['contact'];
  cordoned: boolean;
  draining: boolean;
  labels: Readonly<Record<string, string>>;
  pools: ReadonlySet<string>;
  capacity: number;
  load: number;
  /** Where that matters, `views` says it. */
  readonly ofJob: 0;
  link: HostLink | null;
  /** Until it counts as silent, and then as lost. */
  silence: Disposable | null;
}

/** All hosts, with the load that they have. */
export class HostSlots {
  readonly #slots = new Map<string, HostSlot>();
  readonly #keys = new Map<string, Set<RunKey>>();
  readonly #ofJob = new Map<string, Map<string, Set<RunKey>>>();

  get all(): Iterable<HostSlot> {
    return this.#slots.values();
  }

  find(id: string): HostSlot | undefined {
    return this.#slots.get(id);
  }

  /** The host by its id, made where it is new. Nothing is known of it until it connects. */
  slot(id: string, name: string): HostSlot {
    const known = this.#slots.get(id);
    if (known !== undefined) return known;
    const slot: HostSlot = {
      id,
      name,
      contact: 'silent',
      cordoned: false,
      draining: false,
      labels: {},
      pools: new Set(),
      capacity: 1,
      load: 0,
      ofJob: 0,
      link: null,
      silence: null,
    };
    this.#slots.set(id, slot);
    return slot;
  }

  remove(id: string): void {
    this.#slots.get(id)?.silence?.[Symbol.dispose]();
    this.#slots.delete(id);
  }

  keysOn(id: string): readonly RunKey[] {
    return [...(this.#keys.get(id) ?? [])];
  }

  countOn(id: string): number {
    return this.#keys.get(id)?.size ?? 0;
  }

  *keysOfJob(jobId: string): Iterable<RunKey> {
    for (const keys of this.#ofJob.get(jobId)?.values() ?? []) yield* keys;
  }

  occupy(id: string, key: RunKey, jobId: string | null, cost: number): void {
    const slot = this.#slots.get(id);
    if (slot !== undefined) slot.load += cost;
    const keys = this.#keys.get(id);
    if (keys === undefined) this.#keys.set(id, new Set([key]));
    else keys.add(key);
    if (jobId === null) return;
    const hosts = this.#ofJob.get(jobId) ?? new Map<string, Set<RunKey>>();
    this.#ofJob.set(jobId, hosts);
    const ofHost = hosts.get(id);
    if (ofHost === undefined) hosts.set(id, new Set([key]));
    else ofHost.add(key);
  }

  vacate(id: string, key: RunKey, jobId: string | null, cost: number): void {
    const keys = this.#keys.get(id);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(id);
    const slot = this.#slots.get(id);
    // Fractions add up to a little more or less than nothing.
    if (slot !== undefined) slot.load = this.#keys.has(id) ? Math.max(0, slot.load - cost) : 0;
    if (jobId === null) return;
    const hosts = this.#ofJob.get(jobId);
    hosts?.get(id)?.delete(key);
    if (hosts?.get(id)?.size === 0) hosts.delete(id);
    if (hosts?.size === 0) this.#ofJob.delete(jobId);
  }

  /** For placement; with the number of a job's runs where those are limited. */
  views(jobId: string | null): Iterable<HostView> {
    if (jobId === null) return this.#slots.values();
    const hosts = this.#ofJob.get(jobId);
    return [...this.#slots.values()].map((slot) => ({ ...slot, ofJob: hosts?.get(slot.id)?.size ?? 0 }));
  }
}
