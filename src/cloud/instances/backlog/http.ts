import { failed, type Limits, type Reading, readingOf } from './reading.ts';

const MAX_BODY_BYTES = 4_096;

/**
 * Asks an address for the number. No redirect is followed: an address inside the network is not to be reached by way of
 * another one. Of the answer nothing is told but its status, of the address nothing but its host.
 */
export async function readHttp(url: string, { timeoutMs, signal }: Limits): Promise<Reading> {
  const host = URL.parse(url)?.host ?? '';
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      headers: { 'user-agent': 'Rocksy', accept: 'application/json, text/plain' },
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
    const body = await beginningOf(response);
    if (!response.ok) return failed(`${host} answered HTTP ${response.status}`);
    if (body.length > MAX_BODY_BYTES) return failed(`${host} answered more than ${MAX_BODY_BYTES} bytes`);
    return numberIn(body.toString(), `${host} answered`);
  } catch (error) {
    if (timeout.aborted) return failed(`${host} had not answered after ${timeoutMs / 1_000} s`);
    return failed(`${host} can not be reached${codeOf(error)}`);
  }
}

/** A byte more than is allowed at most; the rest never comes here. */
async function beginningOf({ body }: Response): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the stream, and with it the connection.
  for await (const part of body ?? []) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) break;
  }
  return Buffer.concat(parts);
}

function numberIn(text: string, what: string): Reading {
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // A text.
  }
  if (typeof value === 'object' && value !== null && 'backlog' in value) value = value.backlog;
  return readingOf(value, what);
}

/** `fetch` says "fetch failed", and in its cause why. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : null;
  if (!(cause instanceof Error)) return '';
  return `: ${'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message}`;
}
