import net from 'node:net';

/** Where a server listens: a Unix socket, or a TCP port on loopback. */
export type Address = { readonly path: string } | { readonly port: number };

/** Connections come from so many of 127.0.0.x: each has some 28,000 ports (net.ipv4.ip_local_port_range). */
const SOURCES = 8;

/**
 * A socket that is being connected; either side may end without the other. The number tells clients apart and spreads
 * them over source addresses.
 */
export function connect(address: Address, number: number): net.Socket {
  if ('path' in address) return net.connect({ ...address, allowHalfOpen: true });
  const localAddress = `127.0.0.${2 + (number % SOURCES)}`;
  return net.connect({ ...address, host: '127.0.0.1', localAddress, allowHalfOpen: true, noDelay: true });
}

/** Resolves when the socket is connected; rejects when it was refused. */
export async function connected(socket: net.Socket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
}
