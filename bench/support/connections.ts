// A program: opens connections to a rocksyd, has each say hello once, and holds them until its own input ends.
// Started and ended by bench/scale.ts.   node connections.ts SOCKET COUNT
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const [path = '', count = '0'] = process.argv.slice(2);
/** As many at a time as a listening socket surely takes. */
const AT_ONCE = 100;
const sockets: Socket[] = [];

async function open(): Promise<void> {
  const socket = connect(path);
  socket.on('error', (error) => {
    console.error(`connection ${sockets.length}: ${error.message}`);
    process.exit(1);
  });
  await once(socket, 'connect');
  socket.write('hello {"id":1}\n');
  await once(socket, 'data');
  sockets.push(socket);
}

while (sockets.length < Number(count)) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, Number(count) - sockets.length) }, open));
}
console.log('open');
process.stdin.on('end', () => process.exit(0)).resume();
