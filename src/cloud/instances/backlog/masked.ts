const MAX_CHARS = 300;
/** Shorter ones are parts of any text. */
const SECRET_CHARS = 4;

/** A text for people on one line, without what is secret. */
export function masked(text: string, secrets: readonly string[]): string {
  // The longest first: it may contain others.
  const line = secrets
    .filter((secret) => secret.length >= SECRET_CHARS)
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a log is no place for them
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  return line.length <= MAX_CHARS ? line : `${line.slice(0, MAX_CHARS - 1)}…`;
}

/** A value that is secret, and where it is a URL the password in it, as written and as meant. */
export function secretsOf(value: string): string[] {
  const { username = '', password = '' } = URL.parse(value) ?? {};
  return [value, ...[username, password].flatMap((part) => [part, decoded(part)])];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
