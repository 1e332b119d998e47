import {
  errorFields,
  ORIGINAL_REQUESTS,
  type RawRequest,
  type Request,
  type RequestName,
  RocksyError,
} from '../../wire/index.ts';
import { parseRequest } from '../../wire/requests/index.ts';
import { authorize, type Connection, type Task } from '../connections/index.ts';
import type { Asker, Daemon } from './context.ts';
import { bye, drain, hello, pools, reload, restart, stats, stop } from './daemon.ts';
import { subscribe, unsubscribe } from './events.ts';
import { free } from './free.ts';
import { host } from './host.ts';
import { logs } from './logs.ts';
import { originalAnswer, originalError } from './original.ts';
import { run } from './run.ts';
import { cancel, check, list, signal, status, terminate, wait } from './runs.ts';
import { assertSpeaks, type Scope } from './scope.ts';
import { search } from './search.ts';

type Handler<N extends RequestName> = (
  request: Extract<Request, { name: N }>,
  daemon: Daemon,
  asker: Asker,
) => object | null | Promise<object | null>;

const HANDLERS: { readonly [N in RequestName]: Handler<N> } = {
  bye,
  cancel,
  check,
  drain,
  free,
  hello,
  host,
  list,
  logs,
  pools,
  reload,
  restart,
  run,
  search,
  signal,
  stats,
  status,
  stop,
  subscribe,
  terminate,
  unsubscribe,
  wait,
};

/** Answers one request: the fields of the answer, or null where none is due. Never rejects. */
export async function answer(
  raw: RawRequest,
  connection: Connection,
  task: Task,
  daemon: Daemon,
  scope: Scope,
): Promise<object | null> {
  try {
    assertSpeaks(scope, raw.name);
    const request = parseRequest(raw);
    authorize(connection.role, request.name);
    const handler = HANDLERS[request.name] as Handler<RequestName>;
    const asker = { connection, scope, task, id: raw.id, bytes: raw.text.length };
    const fields = await handler(request, daemon, asker);
    return fields !== null && isOriginal(raw) ? originalAnswer(request.name, fields) : fields;
  } catch (error) {
    return errorAnswer(raw, known(error, raw, daemon));
  }
}

function isOriginal(raw: RawRequest): boolean {
  return raw.original && ORIGINAL_REQUESTS.has(raw.name);
}

function known(error: unknown, raw: RawRequest, daemon: Daemon): RocksyError {
  if (error instanceof RocksyError) return error;
  daemon.log.error({ err: error, request: raw.name }, 'a request failed');
  return new RocksyError('internal', 'A defect of Rocksy; the log of rocksyd has more', { cause: error });
}

function errorAnswer(raw: RawRequest, error: RocksyError): object {
  const plain = raw.original && (isOriginal(raw) || error.code === 'unknown_request');
  if (!plain) return errorFields(error);
  return originalError(raw, error) ?? { error_text: error.message, ...errorFields(error) };
}
