import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** What an answer of the cloud's may hold, beyond which it is none. */
const MAX_BODY_BYTES = 65_536;

/** The cloud has said no, by HTTP (RFC 9457). */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  /** The cloud's word for it; `http_502` where it said none. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** It is not the moment that is wrong: without somebody's help the next attempt is refused too. */
  get wantsHelp(): boolean {
    return [401, 403, 409].includes(this.status);
  }
}

/** Takes the answer apart; whatever else stands before the cloud (a proxy) may have given it. */
export async function refusalOf(response: IncomingMessage): Promise<Refusal> {
  const status = response.statusCode ?? 0;
  const { code, title, detail } = problemOf(await bodyOf(response));
  const words = [title, detail].filter((part) => part !== null).join(': ');
  return new Refusal(status, code ?? `http_${status}`, words === '' ? `HTTP ${status}` : words);
}

/** Throws where it is longer than anything that the cloud says. */
export async function bodyOf(response: IncomingMessage): Promise<string> {
  let left = MAX_BODY_BYTES;
  response.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) response.destroy(new Error(`an answer of more than ${MAX_BODY_BYTES} bytes`));
  });
  return await text(response);
}

function problemOf(body: string): Record<'code' | 'title' | 'detail', string | null> {
  let fields: unknown = null;
  try {
    fields = JSON.parse(body);
  } catch {
    // Somebody else's page.
  }
  const known = (typeof fields === 'object' && fields !== null ? fields : {}) as Record<string, unknown>;
  const said = (name: string): string | null => {
    const value = known[name];
    return typeof value === 'string' && value !== '' ? value.slice(0, 1_000) : null;
  };
  return { code: said('code'), title: said('title'), detail: said('detail') };
}
