// A server whose clients notice nothing of its restarts: it counts the lines that each of them has sent.
import { createServer } from 'node:net';
import { Clients, connectToKeeper, type TakeoverRefused } from '../../src/takeover/index.ts'; // in your program: 'rocksy/takeover'

const keeper = connectToKeeper();

/** Of each client, what a successor has to know. */
const clients = new Clients<{ lines: number; rest: string }>({
  begin: () => ({ lines: 0, rest: '' }),
  data(client, bytes) {
    const lines = (client.state.rest + bytes).split('\n');
    client.state.rest = lines.pop() ?? '';
    for (const line of lines) client.write(`line ${++client.state.lines}: ${line}\n`);
  },
});

keeper.onSignal(async (signal) => {
  if (signal === 'SIGHUP')
    await keeper.takeover().catch((error: TakeoverRefused) => console.log(error.message));
  else {
    await keeper.stopping();
    process.exit(0);
  }
});

await clients.serve(keeper, createServer({ allowHalfOpen: true }, clients.accept), 'tcp');
