import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { JobId, Store } from '../store/index.ts';

// Signed requests by which somebody without a token starts a job: https://github.com/standard-webhooks/standard-webhooks

const KEY = 'webhook.key';
const PREFIX = 'whsec_';
/** A message that is older, or from the future, may be one that somebody has recorded. */
const TOLERANCE_MS = 300_000;

/** The secret of a job's webhook: derived from one key of this cloud, so that none has to be kept for each job. */
export async function secretOf(store: Store, jobId: JobId): Promise<string> {
  const key = await store.settings.getOrSet(KEY, randomBytes(32).toString('base64'));
  const secret = createHmac('sha256', Buffer.from(key, 'base64')).update(jobId).digest('base64');
  return `${PREFIX}${secret}`;
}

/** The id of the message; null: it is not signed with this secret, or too old. */
export function verify(
  secret: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  body: Buffer,
  nowMs: number,
): string | null {
  const [id, timestamp, signatures] = ['id', 'timestamp', 'signature'].map(
    (name) => headers[`webhook-${name}`],
  );
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return null;
  if (!/^[\w.-]{1,128}$/.test(id)) return null;
  if (!(Math.abs(Number(timestamp) * 1000 - nowMs) <= TOLERANCE_MS)) return null;
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
  const isSigned = signatures.split(' ').some((each) => {
    const given = Buffer.from(each.startsWith('v1,') ? each.slice(3) : '', 'base64');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return isSigned ? id : null;
}
