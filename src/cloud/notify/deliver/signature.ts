import { createHmac } from 'node:crypto';

export interface Signed {
  readonly id: string;
  readonly timestampS: number;
  readonly body: string;
}

/** The value of `webhook-signature`. */
export function signatureOf({ id, timestampS, body }: Signed, key: Buffer): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}
