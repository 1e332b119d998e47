import { type Result, resultOf } from './result.ts';

const READ_BYTES = 1024;

export interface Limits {
  readonly timeoutMs: number;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

/**
 * One request, whose answer counts by its status alone. No redirect is followed: what was signed for one place must not
 * go to another one, and an address inside the network not be reached by way of a receiver.
 */
export async function request(
  url: string,
  init: Pick<RequestInit, 'method'> & { readonly headers?: Record<string, string>; readonly body?: string },
  { timeoutMs, signal }: Limits,
  nowMs: number,
  secrets: readonly string[],
): Promise<Result> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      ...init,
      headers: { 'user-agent': 'Rocksy', ...init.headers },
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    });
    return resultOf({ ...(await verdict(response)), retryAfterMs: retryAfterMs(response, nowMs) }, secrets);
  } catch (error) {
    const detail = timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error);
    return resultOf({ ok: false, status: null, detail }, secrets);
  }
}

async function verdict(response: Response) {
  const { status, ok } = response;
  if (ok) {
    // The rest of it may never come. Without this it would hold the connection until it is collected; rejects where the
    // connection is broken already.
    response.body?.cancel().catch(() => {});
    return { ok, status, detail: 'taken' };
  }
  const said = await beginningOf(response);
  if (status >= 300 && status < 400) return { ok, status, detail: 'it redirects, which is not followed' };
  return { ok, status, hopeless: status === 410, detail: `HTTP ${status} ${said}` };
}

/** What the answer begins with; as much as comes. */
async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const parts: Uint8Array[] = [];
  const reader = body.getReader();
  try {
    for (let bytes = 0; bytes < READ_BYTES; ) {
      const { value } = await reader.read();
      if (value === undefined) break;
      parts.push(value);
      bytes += value.length;
    }
  } catch {
    // The status is what counts.
  }
  // Rejects where the connection is broken already.
  reader.cancel().catch(() => {});
  return Buffer.concat(parts).subarray(0, READ_BYTES).toString();
}

function retryAfterMs({ headers }: Response, nowMs: number): number | null {
  const value = headers.get('retry-after');
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

/** `fetch` says "fetch failed", and in its cause why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it can not be reached';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return cause.message.includes(code) ? cause.message : `${code} ${cause.message}`;
}
