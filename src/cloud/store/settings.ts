import type { Access } from './access.ts';
import { fromJson, storable, toJson } from './text.ts';

/** What the cloud keeps of itself, by name: JSON. */
export class Settings {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async get<T>(name: string): Promise<T | null> {
    const row = await this.#access.db
      .selectFrom('settings')
      .select('value')
      .where('name', '=', name)
      .executeTakeFirst();
    return row === undefined ? null : fromJson<T>(row.value);
  }

  async set(name: string, value: unknown): Promise<void> {
    const text = storable(toJson(value));
    await this.#access.db
      .insertInto('settings')
      .values({ name, value: text })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: text }))
      .execute();
  }

  /** The value that is there, or this one from now on: of several that ask at once all get the same. */
  async getOrSet<T>(name: string, value: T): Promise<T> {
    await this.#access.db
      .insertInto('settings')
      .values({ name, value: storable(toJson(value)) })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    return (await this.get<T>(name)) ?? value;
  }
}
