import { Client, credentials } from '@grpc/grpc-js';

const connect = () => new Client(process.env.GRPC_ADDRESS, credentials.createInsecure());
const bytes = (value) => value;

async function echo(client, text) {
  const { promise, resolve, reject } = Promise.withResolvers();
  client.makeUnaryRequest('/try.Echo/Echo', bytes, bytes, Buffer.from(text), (error, answer) =>
    error ? reject(error) : resolve(String(answer)),
  );
  return await promise;
}

let client = connect();
if (process.env.TRY !== 'lazy') await echo(client, '0'); // connects

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => client.close() : undefined;
export const afterFork = hooks
  ? () => {
      client = connect();
    }
  : undefined;

class Try {
  async run({ n }) {
    return { n: Number(await echo(client, String(n))) };
  }
}
export const jobs = { Try };
