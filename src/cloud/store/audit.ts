import type { Access } from './access.ts';
import { oneNumber, type Page, pageOf, pageSize } from './page.ts';
import { fromJson, storable, toJson } from './text.ts';

export interface AuditEntry {
  readonly atMs: number;
  /** Name of a token, or of a user of this machine. */
  readonly who: string;
  /** A verb: `apply`, `trigger`, `cancel` … */
  readonly what: string;
  readonly target: string;
  readonly detail: unknown;
}

/** Who did what, for ever. */
export class Audit {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async record({ atMs, who, what, target, detail }: AuditEntry): Promise<void> {
    await this.#access.db
      .insertInto('audit')
      .values({
        atMs,
        who: storable(who),
        what,
        target: storable(target),
        detail: storable(toJson(detail ?? null)),
      })
      .execute();
  }

  /** Newest first. */
  async list(filter: {
    readonly who?: string;
    readonly target?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<Page<AuditEntry & { readonly id: number }>> {
    const limit = pageSize(filter.limit);
    let query = this.#access.db.selectFrom('audit').selectAll();
    if (filter.who !== undefined) query = query.where('who', '=', filter.who);
    if (filter.target !== undefined) query = query.where('target', '=', filter.target);
    if (filter.cursor !== undefined) query = query.where('id', '<', oneNumber(filter.cursor));
    const rows = await query
      .orderBy('id', 'desc')
      .limit(limit + 1)
      .execute();
    const parse = (row: (typeof rows)[number]) => ({ ...row, detail: fromJson<unknown>(row.detail) });
    return pageOf(rows, limit, parse, ({ id }) => [id]);
  }
}
