// HTTP/2 from both sides, with channels that stay connected.
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

const pack = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const unpack = (bytes: Buffer): { readonly n: number } => JSON.parse(bytes.toString());
const codec = {
  requestSerialize: pack,
  requestDeserialize: unpack,
  responseSerialize: pack,
  responseDeserialize: unpack,
};

const SERVICE = {
  double: { path: '/Numbers/Double', requestStream: false, responseStream: false, ...codec },
  count: { path: '/Numbers/Count', requestStream: false, responseStream: true, ...codec },
} as const;
const Client = grpc.makeGenericClientConstructor(SERVICE, 'Numbers');

type Told = (error: Error | null, answer?: { n: number }) => void;

const implementation: grpc.UntypedServiceImplementation = {
  double: ({ request }: { request: { n: number } }, told: Told) => told(null, { n: request.n * 2 }),
  count: (call: grpc.ServerWritableStream<{ n: number }, { n: number }>) => {
    for (let n = 0; n < call.request.n; n++) call.write({ n });
    call.end();
  },
};

export const jobs = await packageJobs([
  workload('@grpc/grpc-js: a server and its client', async () => {
    const server = new grpc.Server();
    server.addService(SERVICE, implementation);
    const bind = promisify(server.bindAsync).bind(server);
    const port = await bind('127.0.0.1:0', grpc.ServerCredentials.createInsecure());
    const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const double = promisify((n: number, told: Told) => client.double?.({ n }, told));
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    const doubled = (await Promise.all(numbers.map((n) => double(n)))) as unknown as { n: number }[];
    assert.deepEqual(
      doubled.map(({ n }) => n),
      numbers.map((n) => n * 2),
    );
    const counted: { n: number }[] = await client.count?.({ n: 200 }).toArray();
    assert.equal(counted.at(-1)?.n, 199);
    client.close();
    await promisify(server.tryShutdown).bind(server)();
  }),
]);
