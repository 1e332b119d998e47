// The real servers that clients are tried against: each in a folder of its own, gone afterwards.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { Postgres } from '../../src/cloud/store/fixtures/postgres.ts';
import { until } from '../support/daemon.ts';

export type Server = 'postgres' | 'mysql' | 'redis' | 'http' | 'grpc' | 'smtp';

export type Env = Readonly<Record<string, string>>;

/** How each is started: what its clients find in their environment, and how it is ended. */
const STARTS: Record<Server, (folder: string, stack: AsyncDisposableStack) => Promise<Env>> = {
  postgres: async (_folder, stack) => {
    const postgres = stack.use(await Postgres.start());
    const url = await postgres.newDatabase();
    const { searchParams, pathname } = new URL(url.replace('@/', '@localhost/'));
    const [host, database] = [searchParams.get('host') ?? '', pathname.slice(1)];
    return {
      PG_URL: url,
      PG_HOST: host,
      PG_DATABASE: database,
      PG_DSN: `pgsql:host=${host};dbname=${database}`,
    };
  },

  mysql: async (folder, stack) => {
    const [data, socket] = [path.join(folder, 'mysql'), path.join(folder, 'mysqld.sock')];
    fs.mkdirSync(data);
    const options = ['--no-defaults', `--datadir=${data}`];
    const user = process.getuid?.() === 0 ? ['--user=mysql'] : [];
    if (user.length > 0) execFileSync('chown', ['mysql', data, folder]);
    const install = [...options, ...user, '--skip-test-db', '--auth-root-authentication-method=normal'];
    execFileSync('mariadb-install-db', install, { stdio: ['ignore', 'ignore', 'inherit'] });
    ended(stack, 'mariadbd', [
      ...options,
      ...user,
      `--socket=${socket}`,
      '--skip-networking',
      `--pid-file=${folder}/pid`,
    ]);
    const sql = (statement: string): Buffer =>
      execFileSync('mariadb', ['--no-defaults', `--socket=${socket}`, '-u', 'root', '-e', statement], {
        stdio: 'pipe',
      });
    await until('MariaDB listens', () => fs.existsSync(socket));
    sql(
      "CREATE DATABASE try; CREATE USER try; GRANT ALL ON try.* TO try; FLUSH PRIVILEGES; DROP USER IF EXISTS ''@localhost",
    );
    return { MYSQL_SOCKET: socket };
  },

  redis: async (folder, stack) => {
    const socket = path.join(folder, 'redis.sock');
    ended(stack, 'redis-server', [
      '--port',
      '0',
      '--unixsocket',
      socket,
      '--unixsocketperm',
      '777',
      '--save',
      '',
      '--dir',
      folder,
    ]);
    await until('Redis listens', () => fs.existsSync(socket));
    return { REDIS_SOCKET: socket };
  },

  /** Answers with the last part of the path, and keeps connections; also a push gateway, and S3 as far as it goes. */
  http: async (_folder, stack) => {
    const server = http.createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
      await text(request);
      response.end(request.url?.split('/').at(-1));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    stack.defer(async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    });
    return { HTTP_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  },

  grpc: async (_folder, stack) => {
    // Not the project's own dependency: there when the packages of this folder are.
    const name = '@grpc/grpc-js';
    const grpc = await import(name);
    const server = new grpc.Server();
    const bytes = (value: Buffer): Buffer => value;
    const method = { path: '/try.Echo/Echo', requestStream: false, responseStream: false };
    const codec = {
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    server.addService(
      { Echo: { ...method, ...codec } },
      {
        Echo: ({ request }: { request: Buffer }, answer: (error: null, value: Buffer) => void) =>
          answer(null, request),
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(
        '127.0.0.1:0',
        grpc.ServerCredentials.createInsecure(),
        (error: Error | null, bound: number) => (error === null ? resolve(bound) : reject(error)),
      ),
    );
    stack.defer(() => server.forceShutdown());
    return { GRPC_ADDRESS: `127.0.0.1:${port}` };
  },

  /** Answers a message with its subject. */
  smtp: async (_folder, stack) => {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData: async (stream, _session, done) => {
        const subject = /^Subject: n (\d+)/m.exec(await text(stream))?.[1];
        // Its type knows an error only; what is said with success is its second argument.
        (done as (error: null, message: string) => void)(null, `Ok, subject ${subject}`);
      },
    });
    const listening = server.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    stack.defer(() => new Promise((resolve) => server.close(() => resolve())));
    return { SMTP_PORT: String((listening.address() as AddressInfo).port) };
  },
};

/** Starts these, and resolves with what is in the environment of their clients. */
export async function startServers(
  servers: Iterable<Server>,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<Env> {
  const env: Record<string, string> = {};
  for (const server of servers) Object.assign(env, await STARTS[server](folder, stack));
  return env;
}

function ended(stack: AsyncDisposableStack, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  stack.defer(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  return child;
}
