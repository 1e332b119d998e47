/** As text that both databases keep as it is: PostgreSQL has no U+0000, and half a surrogate pair has no UTF-8. */
export function storable(text: string): string;
export function storable(text: string | null): string | null;
export function storable(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** JSON escapes what `storable` has to replace, so every value comes back as it was. */
export function toJson(value: unknown): string {
  return JSON.stringify(value);
}

/** What `toJson` wrote. Only the store writes these columns, so their type is known to whoever names it. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}
