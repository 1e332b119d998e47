import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer, json, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { cert, key } from './certificate.ts';
import { type Workload, workload } from './workload.ts';

const LOOPBACK = '127.0.0.1';

interface Echo {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** Tells what it was asked. */
async function echo(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const { method = '', url: path = '' } = request;
  const told: Echo = { method, path, body: await text(request) };
  response.setHeader('content-type', 'application/json').end(JSON.stringify(told));
}

async function portOf(server: net.Server): Promise<number> {
  server.listen(0, LOOPBACK);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function responseOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  const [response] = await once(request, 'response');
  return response;
}

/** HTTP in all its versions, from both sides. */
export const httpWorkloads: readonly Workload[] = [
  workload('an HTTP server and http.request', async () => {
    const server = http.createServer(echo);
    const port = await portOf(server);
    const request = http.request({ host: LOOPBACK, port, path: '/a?b=c', method: 'PUT' }).end('body');
    const told: Echo = (await json(await responseOf(request))) as Echo;
    assert.deepEqual(told, { method: 'PUT', path: '/a?b=c', body: 'body' });
    server.close().closeAllConnections();
  }),
  workload('an HTTP agent that keeps its connections', async () => {
    const server = http.createServer(echo);
    let connections = 0;
    server.on('connection', () => connections++);
    const port = await portOf(server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    const ask = async (path: string): Promise<string> =>
      ((await json(await responseOf(http.get({ host: LOOPBACK, port, path, agent })))) as Echo).path;
    const paths = Array.from({ length: 40 }, (_, index) => `/${index}`);
    assert.deepEqual(await Promise.all(paths.map(ask)), paths);
    assert.ok(connections <= 2);
    agent.destroy();
    server.close();
  }),
  workload('fetch', async () => {
    const server = http.createServer(echo);
    const url = `http://${LOOPBACK}:${await portOf(server)}`;
    const ask = async (path: string): Promise<Echo> =>
      (await (await fetch(`${url}${path}`, { method: 'POST', body: path })).json()) as Echo;
    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    assert.deepEqual(
      await Promise.all(paths.map(ask)),
      paths.map((path) => ({ method: 'POST', path, body: path })),
    );
    server.close().closeAllConnections();
  }),
  workload('fetch of a stream, and one that is aborted', async () => {
    const server = http.createServer(async (request, response) => {
      if (request.url === '/never') return;
      for (let part = 0; part < 50; part++) {
        response.write('x'.repeat(10_000));
        await delay(0);
      }
      response.end();
    });
    const url = `http://${LOOPBACK}:${await portOf(server)}`;
    let bytes = 0;
    const { body } = await fetch(url);
    for await (const chunk of body ?? []) bytes += (chunk as Uint8Array).length;
    assert.equal(bytes, 500_000);
    await assert.rejects(fetch(`${url}/never`, { signal: AbortSignal.timeout(20) }), {
      name: 'TimeoutError',
    });
    server.close().closeAllConnections();
  }),
  workload('fetch of a form', async () => {
    const server = http.createServer(echo);
    const url = `http://${LOOPBACK}:${await portOf(server)}`;
    const form = new FormData();
    form.set('file', new Blob(['its content']), 'name.txt');
    const { body } = (await (await fetch(url, { method: 'POST', body: form })).json()) as Echo;
    assert.match(body, /name="file"; filename="name.txt"[\s\S]*its content/);
    server.close().closeAllConnections();
  }),
  workload('HTTP/2', async () => {
    const server = http2.createServer((request, response) => void request.pipe(response.stream));
    const port = await portOf(server);
    const session = http2.connect(`http://${LOOPBACK}:${port}`);
    const ask = async (body: string): Promise<string> => {
      const stream = session.request({ ':method': 'POST' });
      stream.end(body);
      return await text(stream);
    };
    const bodies = Array.from({ length: 20 }, (_, index) => `body ${index}`.repeat(1_000));
    assert.deepEqual(await Promise.all(bodies.map(ask)), bodies);
    session.close();
    server.close();
  }),
  workload('TLS', async () => {
    const server = tls.createServer({ key, cert }, (socket) => void socket.pipe(socket));
    const port = await portOf(server);
    const client = tls.connect({ port, host: LOOPBACK, ca: cert, servername: 'localhost' });
    await once(client, 'secureConnect');
    assert.equal(client.authorized, true);
    client.end('x'.repeat(100_000));
    assert.equal((await text(client)).length, 100_000);
    server.close();
  }),
  workload('HTTPS, and a certificate that nobody vouches for', async () => {
    const server = https.createServer({ key, cert }, echo);
    const port = await portOf(server);
    const response = await responseOf(https.get({ host: LOOPBACK, port, path: '/secret', ca: cert }));
    assert.equal(((await json(response)) as Echo).path, '/secret');
    await assert.rejects(responseOf(https.get({ host: LOOPBACK, port })), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    server.close().closeAllConnections();
  }),
  workload('HTTP/2 over TLS', async () => {
    const server = http2.createSecureServer({ key, cert }, (_request, response) => response.end('secret'));
    const port = await portOf(server);
    const session = http2.connect(`https://localhost:${port}`, { ca: cert, host: LOOPBACK });
    assert.equal((await buffer(session.request({ ':path': '/' }))).toString(), 'secret');
    session.close();
    server.close();
  }),
];
