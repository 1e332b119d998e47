import { Redis } from 'ioredis';

// Without lazyConnect it connects at once.
const redis = new Redis(process.env.REDIS_SOCKET, { lazyConnect: process.env.TRY !== 'wrong' });
if (process.env.TRY !== 'lazy') await redis.ping();

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => redis.quit() : undefined;
export const afterFork = hooks ? () => redis.connect() : undefined;

class Try {
  async run({ n }) {
    await redis.set(`ioredis:${n}`, n);
    return { n: Number(await redis.get(`ioredis:${n}`)) };
  }
}
export const jobs = { Try };
