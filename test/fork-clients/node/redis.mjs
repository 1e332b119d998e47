import { createClient } from 'redis';

const redis = createClient({ socket: { path: process.env.REDIS_SOCKET } });
if (process.env.TRY !== 'lazy') await redis.connect();

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => redis.close() : undefined;
export const afterFork = hooks ? () => redis.connect() : undefined;

class Try {
  async run({ n }) {
    if (!redis.isOpen) await redis.connect();
    await redis.set(`redis:${n}`, n);
    return { n: Number(await redis.get(`redis:${n}`)) };
  }
}
export const jobs = { Try };
