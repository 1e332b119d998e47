import type { Access } from './access.ts';
import type { Row } from './schema.ts';
import { storable } from './text.ts';
import type { Role } from './vocabulary.ts';

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Null: every project. */
  readonly project: string | null;
  readonly createdMs: number;
  readonly lastUsedMs: number | null;
}

/** What lets somebody in. Only digests are kept. */
export class Tokens {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** False: there is one of that name. */
  async create(token: Omit<TokenRecord, 'lastUsedMs'> & { readonly hash: string }): Promise<boolean> {
    return await this.#access.atomically(async ({ db }) => {
      const same = await db
        .selectFrom('tokens')
        .select('id')
        .where('name', '=', token.name)
        .where('revokedMs', 'is', null)
        .executeTakeFirst();
      if (same !== undefined) return false;
      await db
        .insertInto('tokens')
        .values({ ...token, name: storable(token.name), lastUsedMs: null, revokedMs: null })
        .execute();
      return true;
    });
  }

  /** The valid token with this digest. */
  async find(hash: string): Promise<TokenRecord | null> {
    const row = await this.#access.db
      .selectFrom('tokens')
      .selectAll()
      .where('hash', '=', hash)
      .where('revokedMs', 'is', null)
      .executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async list(): Promise<TokenRecord[]> {
    const rows = await this.#access.db
      .selectFrom('tokens')
      .selectAll()
      .where('revokedMs', 'is', null)
      .orderBy('name')
      .execute();
    return rows.map(recordOf);
  }

  async used(id: string, nowMs: number): Promise<void> {
    await this.#access.db.updateTable('tokens').set({ lastUsedMs: nowMs }).where('id', '=', id).execute();
  }

  /** False: there is none of that name. */
  async revoke(name: string, nowMs: number): Promise<boolean> {
    const { numUpdatedRows } = await this.#access.db
      .updateTable('tokens')
      .set({ revokedMs: nowMs })
      .where('name', '=', name)
      .where('revokedMs', 'is', null)
      .executeTakeFirstOrThrow();
    return Number(numUpdatedRows) > 0;
  }
}

function recordOf({ hash: _hash, revokedMs: _revoked, ...record }: Row<'tokens'>): TokenRecord {
  return record;
}
