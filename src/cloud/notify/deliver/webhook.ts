import type { WebhookChannel } from '../config.ts';
import { type Notice, projectOf } from '../notice.ts';
import { secretBytes } from '../webhook-secret.ts';
import type { Message } from './message.ts';
import { type Limits, request } from './request.ts';
import { type Result, resultOf } from './result.ts';
import { secretsOfUrl } from './secrets.ts';
import { signatureOf } from './signature.ts';

/** Signed as in Standard Webhooks: id, time and body by HMAC-SHA256; the time is that of this attempt. */
export async function sendWebhook(
  { url, secret }: Pick<WebhookChannel, 'url' | 'secret'>,
  { id, notice }: Message,
  limits: Limits,
  nowMs: number,
): Promise<Result> {
  const key = secretBytes(secret);
  if (key === null) return resultOf({ ok: false, status: null, detail: 'its secret is no secret' }, []);
  const body = JSON.stringify(webhookBody(notice));
  const timestampS = Math.floor(nowMs / 1000);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signatureOf({ id, timestampS, body }, key),
  };
  const secrets = [secret, secret.slice('whsec_'.length), ...secretsOfUrl(url)];
  return request(url, { method: 'POST', headers, body }, limits, nowMs, secrets);
}

/** What programs read. Keys are added, never renamed. */
export function webhookBody({ id, what, kind, causes, atMs, jobs, more }: Notice) {
  const unnamed = more.reduce((sum, { count }) => sum + count, 0);
  return {
    type: `incident.${what}`,
    timestamp: iso(atMs),
    data: {
      notice: id,
      kind,
      causes,
      total: jobs.length + unnamed,
      jobs: jobs.map(({ job, incidents, count, sinceMs, runKey }) => ({
        project: projectOf(job),
        job,
        incidents,
        count,
        since: iso(sinceMs),
        run: runKey,
      })),
    },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
