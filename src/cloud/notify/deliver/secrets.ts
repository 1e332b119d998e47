/** Parts of a URL that are long enough to be tokens. */
const TOKEN_CHARS = 8;

/** What of an HTTP URL may be secret: Slack's and most others' have the key in their path or query. */
export function secretsOfUrl(url: string): string[] {
  const parsed = URL.parse(url);
  if (parsed === null) return [url];
  const { pathname, search, searchParams } = parsed;
  const parts = [...pathname.split('/'), ...searchParams.values(), pathname + search, search];
  return [url, parsed.href, ...parts.filter((part) => part.length >= TOKEN_CHARS)];
}

/** The password in the forms in which it may come back: as written, as it is, and as SMTP sends it. */
export function secretsOfSmtp(url: string): string[] {
  const parsed = URL.parse(url);
  if (parsed === null) return [url];
  const [user, password] = [decoded(parsed.username), decoded(parsed.password)];
  if (password === '') return [url];
  const sent = [password, `\0${user}\0${password}`].map((text) => Buffer.from(text).toString('base64'));
  return [url, parsed.href, parsed.password, password, ...sent];
}

/** A part of a URL; one that is not encoded right is taken as it is. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
