export interface HostView {
  readonly id: string;
  readonly name: string;
  /** `silent`: not heard of for a while. It may be back any moment, and gets nothing until then. */
  readonly contact: 'connected' | 'silent' | 'lost';
  readonly cordoned: boolean;
  readonly draining: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** The pools that it lets the cloud use. */
  readonly pools: ReadonlySet<string>;
  /** In the unit of costs; above 0. */
  readonly capacity: number;
  /** The cost of all that it has been given and that has not ended. */
  readonly load: number;
  /** Runs of the wish's job that it has. */
  readonly ofJob: number;
}

export interface Wish {
  readonly pool: string;
  /** Labels that a host has to have. */
  readonly labels: Readonly<Record<string, string>>;
  readonly cost: number;
  /** It has been given to this host before and may go to no other. */
  readonly boundTo: string | null;
  /** Runs of its job on one host; null: any number. */
  readonly perHost: number | null;
}

export type RefusalReason =
  | 'bound-to-another'
  | 'lost'
  | 'silent'
  | 'cordoned'
  | 'draining'
  | 'no-such-pool'
  | 'labels'
  | 'job-is-there'
  | 'full';

export interface Refusal {
  readonly host: string;
  readonly reason: RefusalReason;
}

export interface Placement {
  /** Null: nowhere for now. */
  readonly host: string | null;
  /** Why not the others, by the first reason of each; hosts that would have done and carry more are not among them. */
  readonly refusals: readonly Refusal[];
}

/**
 * The host whose load would be the smallest share of its capacity. Of those that are equal, the one after so many
 * others as `random` (0 ≤ r < 1) says, so that two that place at a time don't choose the same.
 */
export function place(wish: Wish, hosts: Iterable<HostView>, random: number): Placement {
  const refusals: Refusal[] = [];
  let best: HostView[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const host of hosts) {
    const reason = refusalOf(wish, host);
    if (reason !== null) {
      refusals.push({ host: host.id, reason });
      continue;
    }
    const share = (host.load + wish.cost) / host.capacity;
    if (share < least) {
      least = share;
      best = [];
    }
    if (share === least) best.push(host);
  }
  const chosen = best[Math.floor(random * best.length)];
  return { host: chosen?.id ?? null, refusals };
}

function refusalOf(wish: Wish, host: HostView): RefusalReason | null {
  if (wish.boundTo !== null && wish.boundTo !== host.id) return 'bound-to-another';
  if (host.contact !== 'connected') return host.contact;
  // What it was given before it was cordoned is its own: to send it again gives it nothing more.
  if (wish.boundTo === null && host.cordoned) return 'cordoned';
  if (wish.boundTo === null && host.draining) return 'draining';
  if (!host.pools.has(wish.pool)) return 'no-such-pool';
  if (Object.entries(wish.labels).some(([label, value]) => host.labels[label] !== value)) return 'labels';
  if (wish.perHost !== null && host.ofJob >= wish.perHost) return 'job-is-there';
  // A run that costs more than a whole host has to run somewhere: it gets one for itself.
  return host.load > 0 && host.load + wish.cost > host.capacity ? 'full' : null;
}
