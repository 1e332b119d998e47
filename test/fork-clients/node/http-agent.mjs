import http from 'node:http';
import { text } from 'node:stream/consumers';

const agent = new http.Agent({ keepAlive: true });

async function get(path) {
  const { promise, resolve, reject } = Promise.withResolvers();
  http.get(`${process.env.HTTP_URL}${path}`, { agent }, resolve).on('error', reject);
  return await text(await promise);
}
if (process.env.TRY !== 'lazy') {
  await get('/0'); // its connection is kept
}

const hooks = process.env.TRY === 'hooks';
// What is destroyed are its connections: it may be used again.
export const beforeFork = hooks ? () => agent.destroy() : undefined;

class Try {
  async run({ n }) {
    return { n: Number(await get(`/${n}`)) };
  }
}
export const jobs = { Try };
