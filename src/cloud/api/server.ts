import http from 'node:http';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Operation, type OperationName, openApi, operations } from '../../api/index.ts';
import { type Asker, Authentication, assertRole } from './auth.ts';
import { check, checkTexts } from './check.ts';
import type { Call, Cloud, Handler } from './context.ts';
import { ApiError, asApiError, problemOf } from './errors.ts';
import { handlers } from './handlers/index.ts';
import { once, runKeyOf } from './idempotency.ts';
import { metricsOf } from './metrics.ts';
import { streamEvents, streamLog } from './streams.ts';

const BASE = '/api/v1';
const LINK = `${BASE}/hosts/link`;
const MAX_BODY_BYTES = 32 << 20;

export interface ApiOptions {
  readonly cloud: Cloud;
  /** Requests a minute of one token, or of one address without one. */
  readonly requestsPerMinute: number;
}

/** The HTTP API. It listens nowhere by itself: `server()` makes as many servers as there are sockets to listen on. */
export class Api {
  readonly #app: FastifyInstance;
  readonly #options: ApiOptions;
  readonly #authentication: Authentication;
  readonly #servers: http.Server[] = [];
  #handler: http.RequestListener = () => undefined;

  static async create(options: ApiOptions): Promise<Api> {
    const api = new Api(options);
    await api.#prepare();
    return api;
  }

  private constructor(options: ApiOptions) {
    this.#options = options;
    this.#authentication = new Authentication(options.cloud.store);
    this.#app = fastify({
      bodyLimit: MAX_BODY_BYTES,
      routerOptions: { maxParamLength: 300 },
      // What is logged is logged here.
      logger: false,
      serverFactory: (handler) => {
        this.#handler = handler;
        return http.createServer(handler);
      },
    });
  }

  async #prepare(): Promise<void> {
    const app = this.#app;
    await app.register(rateLimit, {
      max: this.#options.requestsPerMinute,
      timeWindow: 60_000,
      keyGenerator: ({ headers, ip }) => headers.authorization ?? ip,
      errorResponseBuilder: (_request, { after }) =>
        new ApiError(429, 'too_many_requests', `Too many requests: again in ${after}`),
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    app.setNotFoundHandler((request, reply) =>
      this.#refuse(
        reply,
        new ApiError(404, 'not_found', `There is no ${request.method} ${request.url.split('?')[0]}`),
      ),
    );
    for (const [name, operation] of Object.entries<Operation>(operations))
      this.#route(name as OperationName, operation);
    this.#others();
    await app.ready();
  }

  #route(name: OperationName, operation: Operation): void {
    this.#app.route({
      method: operation.method,
      url: `${BASE}${operation.path}`,
      handler: async (request, reply) => {
        const answer = await this.#answer(name, operation, request, reply);
        await reply.header('cache-control', 'no-store').send(answer);
      },
    });
  }

  async #answer(
    name: OperationName,
    operation: Operation,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const { cloud } = this.#options;
    const asker = await this.#admit(request, operation.role);
    if (asker.project !== null && isOfAllProjects(name, operation))
      throw new ApiError(403, 'forbidden', `A token of one project may not do this: it concerns all of them`);
    const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const idempotencyKey = request.headers['idempotency-key'];
    const key = operation.method === 'POST' && typeof idempotencyKey === 'string' ? idempotencyKey : null;
    const call = {
      cloud,
      asker,
      params: checkTexts(operation.params, request.params, 'path'),
      query: checkTexts(operation.query, request.query, 'query'),
      body: operation.body === null ? undefined : check(operation.body, bodyOf(raw), 'body'),
      runKey: key === null ? null : runKeyOf(asker, key),
      headers: request.headers,
      raw,
      setHeader: (header: string, value: string) => void reply.header(header, value),
    } as unknown as Call<OperationName>;
    const act = async () => await (handlers[name] as Handler<OperationName>)(call);
    // A run's key is as good, and what is made once for it may be asked for while it is being made.
    if (key === null || MAKES_A_RUN.has(name)) return await act();
    const wanted = `${request.method} ${request.url}\n${raw.toString('latin1')}`;
    return await once(cloud.store, { asker, key, request: wanted, nowMs: cloud.clock.nowMs() }, act);
  }

  async #admit({ raw }: FastifyRequest, role: Operation['role']): Promise<Asker> {
    if (role === null) return { name: 'nobody', role: 'viewer', project: null };
    const asker = await this.#authentication.askerOf(raw);
    assertRole(asker, role);
    return asker;
  }

  #others(): void {
    const { cloud } = this.#options;
    this.#app.get(
      '/healthz',
      async (_request, reply) => await reply.send({ ok: true, version: cloud.version }),
    );
    this.#app.get(
      `${BASE}/openapi.json`,
      async (_request, reply) => await reply.send(openApi(cloud.version)),
    );
    this.#app.get('/metrics', async (request, reply) => {
      await this.#admit(request, 'viewer');
      await reply.type('text/plain; version=0.0.4').send(await metricsOf(cloud));
    });
    this.#app.get(`${BASE}/events`, async (request, reply) => {
      await streamEvents(request, reply, await this.#admit(request, 'viewer'), cloud);
    });
    this.#app.get(`${BASE}/runs/:key/log/stream`, async (request, reply) => {
      await streamLog(request, reply, await this.#admit(request, 'viewer'), cloud);
    });
  }

  #fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const known = asApiError(error) ?? ofFastify(error);
    if (known !== null) return this.#refuse(reply, known);
    this.#options.cloud.log.error(
      { err: error, request: `${request.method} ${request.url.split('?')[0]}` },
      'a request failed',
    );
    return this.#refuse(reply, new ApiError(500, 'internal', 'The cloud failed; its log has more'));
  }

  #refuse(reply: FastifyReply, error: ApiError): FastifyReply {
    return reply
      .code(error.status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error)));
  }

  /** A server for one socket; the caller makes it listen. */
  server(): http.Server {
    const server = http.createServer(this.#handler);
    server.on('upgrade', (request, socket, head) => {
      if (request.url?.split('?')[0] === LINK)
        void this.#options.cloud.leader.hub.upgrade(request, socket, head);
      else socket.destroy();
    });
    this.#servers.push(server);
    return server;
  }

  /** Takes no newcomers, answers what is being asked, and ends all streams. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const server of this.#servers) server.closeIdleConnections();
    const cut = setTimeout(() => {
      for (const server of this.#servers) server.closeAllConnections();
    }, 1_000);
    await Promise.all(closed);
    clearTimeout(cut);
    await this.#app.close();
  }
}

/** What a token of one project may not do, whatever its role: hosts, tokens and the log of who did what are everybody's. */
function isOfAllProjects(name: OperationName, { role }: Operation): boolean {
  return role === 'admin' || name === 'cordonHost' || name === 'drainHost';
}

const MAKES_A_RUN: ReadonlySet<OperationName> = new Set(['triggerJob', 'createRun', 'rerunRun']);

function bodyOf(raw: Buffer): unknown {
  if (raw.length === 0) return {};
  try {
    return JSON.parse(raw.toString()) as unknown;
  } catch (cause) {
    throw new ApiError(400, 'invalid_json', `The body is no JSON: ${(cause as Error).message}`);
  }
}

/** What Fastify itself refuses: a body that is too large, of another type. */
function ofFastify(error: unknown): ApiError | null {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number')
    return null;
  if (error.statusCode >= 500) return null;
  const code =
    'code' in error && typeof error.code === 'string' ? error.code.toLowerCase() : 'invalid_request';
  return new ApiError(error.statusCode, code, error.message);
}
