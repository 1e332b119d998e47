import http from 'node:http';
import { Counter, collectDefaultMetrics, Pushgateway, register } from 'prom-client';

const counter = new Counter({ name: 'tries', help: 'tries' });

if (process.env.TRY === 'wrong') {
  // An exporter: of all runs only the zygote would be asked, and that does nothing.
  const exporter = http.createServer(async (_request, response) => response.end(await register.metrics()));
  exporter.listen(0, '127.0.0.1');
}

// Not in the bootstrap (prom-client-defaults.mjs).
export const afterFork = () => collectDefaultMetrics();

class Try {
  async run({ n }) {
    counter.inc(n); // this process's
    await new Pushgateway(process.env.HTTP_URL).pushAdd({ jobName: 'try', groupings: { run: String(n) } });
    return { n: (await counter.get()).values[0].value };
  }
}
export const jobs = { Try };
