import type { TObject } from 'typebox';
import { type Operation, operations } from './operations.ts';
import { Problem } from './resources.ts';

/** The API as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0): served at /api/v1/openapi.json, kept in schemas/. */
export function openApi(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [id, operation] of Object.entries<Operation>(operations)) {
    const path = `/api/v1${operation.path.replaceAll(/:(\w+)/g, '{$1}')}`;
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(id, operation) };
  }
  paths['/api/v1/events'] = {
    get: stream('events', 'Changes of runs, jobs, hosts and the ledger, as they happen', 'viewer'),
  };
  paths['/api/v1/runs/{key}/log/stream'] = {
    get: {
      ...stream('followLog', 'A run’s log as it grows, to its end', 'viewer'),
      parameters: [{ name: 'key', in: 'path', required: true, schema: { type: 'string' } }],
    },
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rocksy',
      version,
      description:
        'Jobs, runs, hosts. Times are milliseconds since 1970. Errors are problem+json with a stable `code`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ token: [] }],
    paths: plain(paths),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: plain(Problem) },
    },
  };
}

function describe(id: string, { method, summary, role, params, query, body, answer }: Operation): object {
  const isPost = method === 'POST' && role !== null;
  return {
    operationId: id,
    summary,
    'x-role': role,
    ...(role === null ? { security: [] } : {}),
    parameters: [
      ...parameters(params, 'path'),
      ...parameters(query, 'query'),
      ...(isPost ? [header('Idempotency-Key', 'what is sent twice with the same key is done once')] : []),
      ...(id === 'putJob' ? [header('If-Match', 'the ETag of the version that is meant')] : []),
    ],
    ...(body === null
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      200: { description: 'done', content: { 'application/json': { schema: answer } } },
      default: {
        description: 'not done',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function stream(id: string, summary: string, role: string): object {
  return {
    operationId: id,
    summary,
    'x-role': role,
    parameters: [header('Last-Event-ID', 'goes on after this event')],
    responses: { 200: { description: 'server-sent events', content: { 'text/event-stream': {} } } },
  };
}

function parameters(schema: TObject, place: 'path' | 'query'): object[] {
  const required: readonly string[] = (schema as { readonly required?: readonly string[] }).required ?? [];
  return Object.entries(schema.properties).map(([name, each]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: each,
  }));
}

function header(name: string, description: string): object {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } };
}

/** As JSON has it; what is shared is written out where it is used, so that no `$id` stands there twice. */
function plain(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (key === '$id' ? undefined : inner)),
  ) as object;
}
