import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { refusalOf } from './refusal.ts';

const LINK_PATH = '/api/v1/hosts/link';
/** The name of the contract (docs/wire.md, 'The host link'). */
export const SUBPROTOCOL = 'rocksy-host.1';
const HANDSHAKE_MS = 10_000;

export interface Dial {
  readonly url: string;
  readonly hostId: string;
  readonly secret: string;
  readonly incarnation: number;
  readonly maxMessageBytes: number;
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

export interface OpenLink {
  readonly ws: WebSocket;
  /** What carries it. It is the WebSocket's; here one may listen, and nothing else. */
  readonly socket: Socket;
}

/** Opens a link, which is paused: nobody listens yet. Throws Refusal where the cloud says no, and what the network throws. */
export async function dial(options: Dial): Promise<OpenLink> {
  const { url, hostId, secret, incarnation, maxMessageBytes, ca, signal } = options;
  // Here, because hosts without a cloud need not hold it in memory.
  const { WebSocket } = await import('ws');
  signal.throwIfAborted();
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}${LINK_PATH}`, SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handshakeTimeout: HANDSHAKE_MS,
    headers: {
      authorization: `Bearer ${hostId}.${secret}`,
      'x-rocksy-incarnation': String(incarnation),
    },
    ...(ca === undefined ? {} : { ca }),
  });
  return await opened(ws, signal);
}

/** The link as soon as it is open; where it does not come to that, nothing of it is left. */
async function opened(ws: WebSocket, signal: AbortSignal): Promise<OpenLink> {
  const { promise, resolve, reject } = Promise.withResolvers<OpenLink>();
  const abort = (): void => ws.terminate();
  signal.addEventListener('abort', abort, { once: true });
  let socket: Socket | null = null;
  ws.once('upgrade', (response: IncomingMessage) => {
    socket = response.socket;
  });
  ws.once('unexpected-response', (_request, response: IncomingMessage) => {
    void refusalOf(response)
      .then(reject, reject)
      .finally(() => ws.terminate());
  });
  // `terminate` before it is open is told as an error, too: whoever has rejected first is heard.
  ws.on('error', reject);
  ws.once('open', () => {
    // The first message may have come with the answer to the upgrade, and would be told before this promise is.
    ws.pause();
    if (socket === null) reject(new Error('a WebSocket opened without an upgrade'));
    else resolve({ ws, socket });
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
