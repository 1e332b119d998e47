import { collectDefaultMetrics, register } from 'prom-client';

// They count CPU time by what has been used since the last time; a new process has used less than the zygote had.
if (process.env.TRY !== 'hooks') {
  collectDefaultMetrics();
  await register.metrics();
}
export const afterFork = process.env.TRY === 'hooks' ? () => collectDefaultMetrics() : undefined;

class Try {
  async run({ n }) {
    await register.metrics();
    return { n };
  }
}
export const jobs = { Try };
