import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { CloudAddress } from './address.ts';

export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal | undefined;
}

const SILENCE_MS = 60_000;

/** Keeps connections for the next request. */
export class HttpSender implements Disposable {
  readonly #address: CloudAddress;
  readonly #agent: http.Agent;

  constructor(address: CloudAddress) {
    this.#address = address;
    const options = { keepAlive: true, maxSockets: 64 };
    this.#agent = address.kind === 'https' ? new https.Agent(options) : new http.Agent(options);
  }

  /** Resolves with the answer's head; its body is to be read. */
  send({ method, path, headers, body, signal }: HttpRequest): Promise<IncomingMessage> {
    const address = this.#address;
    const options = {
      method,
      path,
      agent: this.#agent,
      headers: body === null ? headers : { ...headers, 'content-length': Buffer.byteLength(body) },
      ...(signal === undefined ? {} : { signal }),
      ...(address.kind === 'unix'
        ? { socketPath: address.path }
        : { hostname: address.hostname, port: address.port }),
    };
    return new Promise((resolve, reject) => {
      const request = (address.kind === 'https' ? https : http).request(options, resolve);
      request.once('error', reject);
      // A stream says that it is alive more often than that.
      request.setTimeout(SILENCE_MS, () =>
        request.destroy(new Error(`no answer within ${SILENCE_MS / 1000} s`)),
      );
      request.end(body ?? undefined);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
