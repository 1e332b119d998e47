import type { RequestName } from '../wire/index.ts';
import type { AnswerFields, Message } from './answer.ts';
import { encodeRequest } from './connection.ts';
import { type Dialer, isPassing } from './dialer.ts';
import { ConnectionError } from './errors.ts';

/** A request that is answered by pushed lines. */
export interface StreamRequest {
  readonly name: RequestName;
  /** Asked anew after each loss of the connection: from where to go on. */
  readonly fields: () => object;
}

/** What a stream brings: each connection begins with `begun`. */
export type StreamItem =
  | { readonly kind: 'begun' }
  | { readonly kind: 'push'; readonly event: string; readonly fields: AnswerFields }
  | { readonly kind: 'answer'; readonly fields: AnswerFields };

const STREAM_ID = 1;
/** Connections that end one after another without having brought a single line. */
const MAX_FRUITLESS = 5;

/**
 * Sends the request over a connection of its own and yields what comes; after a loss connects again and goes on. A
 * connection of its own, because a stream is read only as fast as it is consumed: on a shared one, a loop that asks
 * something else between two lines would wait for an answer that stands behind unread lines. Never ends by itself:
 * whoever consumes knows which answer is the last.
 */
export async function* openStream(
  dialer: Dialer,
  request: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamItem, never, void> {
  for (let fruitless = 0; ; fruitless++) {
    using connection = await dialer.dial(signal);
    const abort = () => connection.close();
    signal.addEventListener('abort', abort, { once: true });
    let loss: unknown;
    try {
      connection.send(encodeRequest(request.name, STREAM_ID, request.fields()));
      yield { kind: 'begun' };
      for await (const incoming of connection) {
        fruitless = 0;
        yield itemOf(incoming, dialer);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error) || error instanceof Refusal) throw error instanceof Refusal ? error.cause : error;
      loss = error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    signal.throwIfAborted();
    if (fruitless >= MAX_FRUITLESS) {
      const message = `The connection was lost ${fruitless + 1} times before '${request.name}' brought anything`;
      throw new ConnectionError('lost', message, dialer.addresses, loss);
    }
  }
}

/** Carries the daemon's refusal of the request itself past the question whether to connect again. */
class Refusal extends Error {}

function itemOf(incoming: Message, dialer: Dialer): StreamItem {
  if (incoming.kind === 'refusal') throw new Refusal('refused', { cause: incoming.error });
  if (incoming.id !== STREAM_ID) {
    throw new ConnectionError(
      'protocol',
      `The daemon answers request ${incoming.id}, which nobody made`,
      dialer.addresses,
    );
  }
  return incoming;
}
