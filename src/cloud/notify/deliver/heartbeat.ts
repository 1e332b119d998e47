import { type Limits, request } from './request.ts';
import type { Result } from './result.ts';
import { secretsOfUrl } from './secrets.ts';

/** One beat: GET is what every such service takes. */
export async function sendHeartbeat(url: string, limits: Limits, nowMs: number): Promise<Result> {
  return request(url, { method: 'GET' }, limits, nowMs, secretsOfUrl(url));
}
