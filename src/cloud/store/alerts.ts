import { sql } from 'kysely';
import type { Access } from './access.ts';
import { listOf, namesOf, rowsOf } from './batch.ts';
import { addDeliveries, Deliveries, type NewDelivery } from './deliveries.ts';
import { fromJson, storable, toJson } from './text.ts';

/** What an incident is found by; whatever else it has is kept with it. Plain JSON, as all of these. */
export interface KeptIncident {
  readonly id: string;
  /** `project/name` */
  readonly job: string;
  readonly openedMs: number;
}

/** News that wait to be told together: one for a kind and a group. */
export interface KeptGathering {
  readonly kind: string;
  readonly group: string;
  readonly dueMs: number;
}

export interface KeptAlerts<I, G> {
  readonly incidents: readonly I[];
  readonly gatherings: readonly G[];
}

/** What becomes of alerts in one go. Whatever has not changed is the same object as before. */
export interface AlertsChange<I, G> extends KeptAlerts<I, G> {
  readonly deliveries: readonly NewDelivery[];
}

export interface AlertsScope<I> {
  /** The incidents of these jobs take part, and all gatherings. */
  readonly jobs: readonly string[];
  /** So do incidents that have something to do by now, some hundreds of them at most. */
  readonly nowMs: number;
  /** When an incident has something to do; null: never. */
  readonly sweepDueMs: (incident: I) => number | null;
  /** How far the log of events has been consumed, and is with this. Null: this is about something else. */
  readonly cursor: { readonly from: number; readonly to: number } | null;
}

/** The setting that says which events have been consumed. Whoever changes alerts locks it. */
const CURSOR = 'alerts.cursor';

const SWEPT_AT_ONCE = 500;

const INCIDENT = {
  id: 'text',
  job: 'text',
  sweep_due_ms: 'bigint',
  state: 'text',
  opened_ms: 'bigint',
} as const;

/** Incidents, news that wait to be told, and notices on their way: what of alerts outlasts a restart. */
export class Alerts {
  readonly deliveries: Deliveries;
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
    this.deliveries = new Deliveries(access);
  }

  /** The last event that has been consumed. Where none ever was: this one, from now on. */
  async cursorOrSet(eventId: number): Promise<number> {
    await this.#access.db
      .insertInto('settings')
      .values({ name: CURSOR, value: toJson(eventId) })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    return (await lockedCursor(this.#access)) ?? eventId;
  }

  /** Every incident that is not closed. */
  async open<I extends KeptIncident>(): Promise<I[]> {
    const rows = await this.#access.db
      .selectFrom('incidents')
      .select('state')
      .where('closedMs', 'is', null)
      .orderBy('openedMs')
      .orderBy('id')
      .execute();
    return rows.map(({ state }) => fromJson<I>(state));
  }

  /** When the earliest incident or gathering has something to do; null: none has. */
  async nextSweepMs(): Promise<number | null> {
    const { db } = this.#access;
    const incident = await db
      .selectFrom('incidents')
      .select('sweepDueMs as ms')
      .where('sweepDueMs', 'is not', null)
      .orderBy('sweepDueMs')
      .limit(1)
      .executeTakeFirst();
    const gathering = await db
      .selectFrom('gatherings')
      .select('dueMs as ms')
      .orderBy('dueMs')
      .limit(1)
      .executeTakeFirst();
    const dues = [incident?.ms, gathering?.ms].filter((ms) => ms != null);
    return dues.length === 0 ? null : Math.min(...dues);
  }

  /**
   * Changes alerts, adds deliveries and moves the cursor, all of it or nothing. An incident that `step` does not return
   * is closed. `step` may be done several times, so it has to be pure. Null: nothing was done, since the cursor is not
   * where it was thought to be; somebody else has moved it.
   */
  async change<I extends KeptIncident, G extends KeptGathering>(
    scope: AlertsScope<I>,
    step: (alerts: KeptAlerts<I, G>) => AlertsChange<I, G>,
  ): Promise<AlertsChange<I, G> | null> {
    return await this.#access.atomically(async (access) => {
      if (!(await moveCursor(access, scope.cursor))) return null;
      const before = {
        incidents: await incidentsIn<I>(access, scope),
        gatherings: await allGatherings<G>(access),
      };
      const after = step(before);
      await closeIncidents(access, before.incidents, after.incidents, scope.nowMs);
      await saveIncidents(access, before.incidents, after.incidents, scope.sweepDueMs);
      await saveGatherings(access, before.gatherings, after.gatherings);
      await addDeliveries(access, after.deliveries);
      return after;
    });
  }

  /** Forgets incidents that were closed before then, and deliveries that are over; so many of each at most. */
  async expire(beforeMs: number, limit: number): Promise<number> {
    const { db } = this.#access;
    const closed = db
      .selectFrom('incidents')
      .select('id')
      .where('closedMs', '<', beforeMs)
      .orderBy('closedMs')
      .limit(limit);
    const { numDeletedRows } = await db
      .deleteFrom('incidents')
      .where('id', 'in', closed)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows) + (await this.deliveries.expire(beforeMs, limit));
  }
}

/** False: it is not where it was thought to be. Locked in any case: changes of alerts come one after the other. */
async function moveCursor(access: Access, cursor: AlertsScope<never>['cursor']): Promise<boolean> {
  const present = await lockedCursor(access);
  if (cursor === null) return true;
  if (present !== cursor.from) return false;
  await access.db
    .updateTable('settings')
    .set({ value: toJson(cursor.to) })
    .where('name', '=', CURSOR)
    .execute();
  return true;
}

async function lockedCursor(access: Access): Promise<number | null> {
  const query = access.db.selectFrom('settings').select('value').where('name', '=', CURSOR);
  const row = await access.locked(query).executeTakeFirst();
  return row === undefined ? null : fromJson<number>(row.value);
}

async function incidentsIn<I>(access: Access, { jobs, nowMs }: AlertsScope<I>): Promise<I[]> {
  const { db } = access;
  const due = await db
    .selectFrom('incidents')
    .select(['id', 'state'])
    .where('sweepDueMs', '<=', nowMs)
    .orderBy('sweepDueMs')
    .limit(SWEPT_AT_ONCE)
    .execute();
  const ofJobs =
    jobs.length === 0
      ? []
      : await db
          .selectFrom('incidents')
          .select(['id', 'state'])
          .where('closedMs', 'is', null)
          .where('job', 'in', among(access, jobs))
          .orderBy('openedMs')
          .orderBy('id')
          .execute();
  const states = new Map([...ofJobs, ...due].map(({ id, state }) => [id, state]));
  return [...states.values()].map((state) => fromJson<I>(state));
}

/** One parameter, however many there are. */
function among(access: Access, values: readonly string[]) {
  const rows = values.map((value) => ({ value: storable(value) }));
  return sql<string>`(SELECT c.value FROM ${rowsOf(access, { value: 'text' }, rows)})`;
}

async function allGatherings<G>({ db }: Access): Promise<G[]> {
  const query = db.selectFrom('gatherings').select('state').orderBy('dueMs').orderBy('kind');
  const rows = await query.orderBy('causeGroup').execute();
  return rows.map(({ state }) => fromJson<G>(state));
}

async function closeIncidents(
  access: Access,
  before: readonly KeptIncident[],
  after: readonly KeptIncident[],
  nowMs: number,
): Promise<void> {
  const open = new Set(after.map(({ id }) => id));
  const closed = before.map(({ id }) => id).filter((id) => !open.has(id));
  if (closed.length === 0) return;
  await access.db
    .updateTable('incidents')
    .set({ closedMs: nowMs, sweepDueMs: null })
    .where('id', 'in', among(access, closed))
    .execute();
}

async function saveIncidents<I extends KeptIncident>(
  access: Access,
  before: readonly I[],
  after: readonly I[],
  sweepDueMs: AlertsScope<I>['sweepDueMs'],
): Promise<void> {
  const same = new Set(before);
  const rows = after
    .filter((incident) => !same.has(incident))
    .map((incident) => ({
      id: incident.id,
      job: storable(incident.job),
      sweep_due_ms: sweepDueMs(incident),
      state: storable(toJson(incident)),
      opened_ms: incident.openedMs,
    }));
  if (rows.length === 0) return;
  const names = namesOf(INCIDENT);
  await sql`
    INSERT INTO incidents (${listOf(names)}) SELECT ${listOf(names, 'c.')} FROM ${rowsOf(access, INCIDENT, rows)} WHERE true
    ON CONFLICT (id) DO UPDATE
    SET sweep_due_ms = excluded.sweep_due_ms, state = excluded.state, closed_ms = NULL`.execute(access.db);
}

async function saveGatherings<G extends KeptGathering>(
  { db }: Access,
  before: readonly G[],
  after: readonly G[],
): Promise<void> {
  const nameOf = ({ kind, group }: KeptGathering): string => JSON.stringify([kind, group]);
  const waiting = new Set(after.map(nameOf));
  for (const each of before) {
    if (waiting.has(nameOf(each))) continue;
    const told = db.deleteFrom('gatherings').where('kind', '=', each.kind);
    await told.where('causeGroup', '=', each.group).execute();
  }
  const same = new Set(before);
  for (const each of after) {
    if (same.has(each)) continue;
    const { kind, group: causeGroup, dueMs } = each;
    const values = { dueMs, state: storable(toJson(each)) };
    await db
      .insertInto('gatherings')
      .values({ kind, causeGroup, ...values })
      .onConflict((conflict) => conflict.columns(['kind', 'causeGroup']).doUpdateSet(values))
      .execute();
  }
}
