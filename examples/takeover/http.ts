// node examples/takeover/keeper.ts 4000 http.ts, then `curl` it, or a load generator with keep-alive, and `kill -HUP` the
// keeper as often as you like: no request fails, and no connection ends.
import { createServer } from 'node:http';
import { connectToKeeper, HttpClients, type TakeoverRefused } from '../../src/takeover/index.ts'; // in your program: 'rocksy/takeover'

const keeper = connectToKeeper();
const server = createServer((_, response) => response.end(`hello from ${process.pid}\n`));
const clients = new HttpClients(server);

keeper.onSignal(async (signal) => {
  if (signal === 'SIGHUP')
    await keeper.takeover().catch((error: TakeoverRefused) => console.log(error.message));
  else {
    await keeper.stopping();
    process.exit(0);
  }
});

await clients.serve(keeper, 'tcp');
