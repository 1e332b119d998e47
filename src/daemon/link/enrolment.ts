import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isHostId } from './credential.ts';
import { bodyOf, refusalOf } from './refusal.ts';
import { readToken } from './token.ts';

const JOIN_PATH = '/api/v1/hosts/join';
const TIMEOUT_MS = 10_000;

export interface Enrolment {
  /** Where the cloud is. */
  readonly url: string;
  readonly name: string;
  readonly tokenFile: string;
  readonly secret: string;
  /** Certificates in PEM to trust instead of those that Node brings. */
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Asks the cloud to take this host in. Asked again with the same secret it says the same, so an answer that was lost
 * costs nothing. Returns the host's id; throws NoToken, Refusal, and what the network throws.
 */
export async function enrol({ url, name, tokenFile, secret, ca, signal }: Enrolment): Promise<string> {
  const token = await readToken(tokenFile);
  const body = JSON.stringify({ token, name, credential_sha256: sha256(secret) });
  const response = await post(`${url}${JOIN_PATH}`, body, ca, signal);
  if (response.statusCode !== 200) throw await refusalOf(response);
  const hostId = hostIdIn(await bodyOf(response));
  if (hostId === null) throw new Error(`${url}${JOIN_PATH} gave no host_id: is that the cloud?`);
  return hostId;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Not by fetch, which takes no certificates. */
function post(
  url: string,
  body: string,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request } = url.startsWith('https:') ? https : http;
  const asked = request(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    },
    agent: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    ...(ca === undefined ? {} : { ca }),
  });
  asked.on('response', resolve);
  asked.on('error', reject);
  asked.end(body);
  return promise;
}

function hostIdIn(body: string): string | null {
  try {
    const { host_id: hostId } = JSON.parse(body) as { host_id?: unknown };
    return isHostId(hostId) ? hostId : null;
  } catch {
    return null;
  }
}
