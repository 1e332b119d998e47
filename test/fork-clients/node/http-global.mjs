import http from 'node:http';
import { text } from 'node:stream/consumers';

async function get(path) {
  const { promise, resolve, reject } = Promise.withResolvers();
  http.get(`${process.env.HTTP_URL}${path}`, resolve).on('error', reject);
  return await text(await promise);
}
if (process.env.TRY !== 'lazy') {
  await get('/0'); // Node's global agent keeps its connection
}

const hooks = process.env.TRY === 'hooks';
// What is destroyed are its connections: it may be used again.
export const beforeFork = hooks ? () => http.globalAgent.destroy() : undefined;

class Try {
  async run({ n }) {
    return { n: Number(await get(`/${n}`)) };
  }
}
export const jobs = { Try };
