import { spawnSync } from 'node:child_process';
import net from 'node:net';
import { isAlive, until } from '../../test/support/daemon.ts';
import { connect, connected } from '../../test/support/load/address.ts';
import { PATIENCE_MS } from './replaceable.ts';

/** Where a program is; null when it is not installed. */
export function pathOf(program: string): string | null {
  const { status, stdout } = spawnSync('which', [program], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** A TCP port on loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when somebody listens there. */
export async function listening(port: number): Promise<void> {
  await until(`somebody listens on ${port}`, async () => {
    const socket = connect({ port }, 0);
    return await connected(socket).then(
      () => !socket.destroy().connecting,
      () => false,
    );
  });
}

/** Waits until processes have ended, for some seconds. Returns how many have not. */
export async function gone(pids: readonly number[]): Promise<number> {
  const living = (): number => pids.filter(isAlive).length;
  await until('they have ended', () => living() === 0, PATIENCE_MS).catch(() => undefined);
  return living();
}
