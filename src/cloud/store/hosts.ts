import { sql } from 'kysely';
import type { Access } from './access.ts';
import { StoreError } from './error.ts';
import type { Row } from './schema.ts';
import { fromJson, storable, toJson } from './text.ts';
import type { HostId } from './vocabulary.ts';

/** What a host says of itself. */
export interface HostFacts {
  readonly version: string;
  readonly pools: readonly { readonly name: string; readonly runtime: string }[];
}

export interface HostRecord {
  readonly id: HostId;
  readonly name: string;
  readonly incarnation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: number;
  readonly facts: HostFacts | null;
  readonly createdMs: number;
  readonly cordonedMs: number | null;
  readonly drainingMs: number | null;
  readonly lastSeenMs: number | null;
}

export interface Enrolment {
  readonly tokenHash: string;
  readonly hostId: HostId;
  readonly name: string;
  readonly credentialHash: string;
  readonly nowMs: number;
}

/** Hosts, and the tokens that they join by. */
export class Hosts {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** A join token can be used once, until `expiresMs`. */
  async invite(token: {
    readonly hash: string;
    readonly by: string;
    readonly nowMs: number;
    readonly expiresMs: number;
  }): Promise<void> {
    await this.#access.db
      .insertInto('joinTokens')
      .values({
        hash: token.hash,
        createdMs: token.nowMs,
        createdBy: storable(token.by),
        expiresMs: token.expiresMs,
        usedMs: null,
        hostId: null,
      })
      .execute();
  }

  /**
   * Makes a host of who has a token, once: the same credential gets the same answer again, so that a lost one can be
   * asked for again. Throws `join_refused` where the token is unknown, used or out of date, or the name is taken.
   */
  async enrol({ tokenHash, hostId, name, credentialHash, nowMs }: Enrolment): Promise<HostId> {
    return await this.#access.atomically(async (access) => {
      const { db } = access;
      const token = await access
        .locked(db.selectFrom('joinTokens').selectAll().where('hash', '=', tokenHash))
        .executeTakeFirst();
      if (token === undefined) throw refused('the join token is not known');
      if (token.hostId !== null) {
        const host = await db
          .selectFrom('hosts')
          .selectAll()
          .where('id', '=', token.hostId)
          .executeTakeFirst();
        if (host?.credentialHash === credentialHash) return host.id;
        throw refused('the join token has been used by another host');
      }
      if (token.expiresMs <= nowMs) throw refused('the join token is out of date');
      const taken = await db.selectFrom('hosts').select('id').where('name', '=', name).executeTakeFirst();
      if (taken !== undefined)
        throw refused(
          `there is a host ${name} already`,
          'give it another name (join.name), or remove the former one: rocksy hosts remove',
        );
      await db
        .insertInto('hosts')
        .values({
          id: hostId,
          name,
          incarnation: 0,
          confirmed: 0,
          labels: '{}',
          capacity: 1,
          createdMs: nowMs,
          cordonedMs: null,
          drainingMs: null,
          lastSeenMs: null,
          bootId: '',
          facts: 'null',
          credentialHash,
        })
        .execute();
      await db
        .updateTable('joinTokens')
        .set({ usedMs: nowMs, hostId })
        .where('hash', '=', tokenHash)
        .execute();
      return hostId;
    });
  }

  async list(): Promise<HostRecord[]> {
    return (await this.#access.db.selectFrom('hosts').selectAll().orderBy('name').execute()).map(recordOf);
  }

  async get(id: HostId): Promise<(HostRecord & { readonly credentialHash: string }) | null> {
    const row = await this.#access.db.selectFrom('hosts').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? null : { ...recordOf(row), credentialHash: row.credentialHash };
  }

  /**
   * The number of a connection, which the host has to write down. Throws `stale_host` where it shows one from before what
   * it has confirmed: it is a copy, or was restored from one, and may have forgotten what ran. Of numbers that it was
   * given since, it may have any or none: connections end in the midst of this, several in a row too.
   */
  async enter(id: HostId, shown: number): Promise<number> {
    return await this.#access.atomically(async (access) => {
      const host = await access
        .locked(access.db.selectFrom('hosts').selectAll().where('id', '=', id))
        .executeTakeFirstOrThrow();
      if (shown < host.confirmed || shown > host.incarnation) {
        throw new StoreError(
          'stale_host',
          `host ${host.name} comes with incarnation ${shown}, and the one that was here last has ${host.incarnation}`,
          {
            hint: `it is a copy, or was restored from one: remove it (rocksy hosts remove ${host.name}) and let it join anew`,
          },
        );
      }
      const incarnation = host.incarnation + 1;
      await access.db
        .updateTable('hosts')
        .set({ incarnation, confirmed: shown })
        .where('id', '=', id)
        .execute();
      return incarnation;
    });
  }

  /** What a host has told of itself, and with that, that it has written down its incarnation. */
  async describe(
    id: HostId,
    told: {
      readonly incarnation: number;
      readonly labels: Readonly<Record<string, string>>;
      readonly capacity: number;
      readonly facts: HostFacts;
      readonly nowMs: number;
    },
  ): Promise<void> {
    await this.#access.db
      .updateTable('hosts')
      .set({
        // A connection that is slow to tell may be an older one.
        confirmed: sql<number>`CASE WHEN confirmed < ${told.incarnation} THEN ${told.incarnation} ELSE confirmed END`,
        labels: storable(toJson(told.labels)),
        capacity: told.capacity,
        facts: storable(toJson(told.facts)),
        lastSeenMs: told.nowMs,
      })
      .where('id', '=', id)
      .execute();
  }

  /** Since when, or null: no longer. */
  async mark(
    id: HostId,
    marks: { readonly cordonedMs: number | null; readonly drainingMs: number | null },
  ): Promise<void> {
    await this.#access.db.updateTable('hosts').set(marks).where('id', '=', id).execute();
  }

  /** Its credential is worth nothing from then on. */
  async remove(id: HostId): Promise<void> {
    await this.#access.db.deleteFrom('hosts').where('id', '=', id).execute();
  }
}

function refused(message: string, hint = 'make a new one: rocksy hosts invite'): StoreError {
  return new StoreError('join_refused', message, { hint });
}

function recordOf({ credentialHash: _, labels, facts, ...row }: Row<'hosts'>): HostRecord {
  return {
    ...row,
    labels: fromJson<Record<string, string>>(labels),
    facts: fromJson<HostFacts | null>(facts),
  };
}
