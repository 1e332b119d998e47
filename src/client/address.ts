import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { RocksyError } from '../wire/index.ts';

/** Where a daemon listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

const DEFAULT_PORT = 31337;
const SYSTEM_SOCKET = '/run/rocksy/rocksyd.sock';
const FOLDER_SOCKET = './var/rocksyd.sock';

/** Reads `unix:/path`, `tcp://host:port` (port 31337 when none is given) or a path that begins with `/` or `.`. */
export function parseAddress(text: string): Address {
  if (/^[/.]/.test(text)) return { kind: 'unix', path: resolve(text) };
  if (text.startsWith('unix:') && text.length > 'unix:'.length) {
    return { kind: 'unix', path: resolve(text.slice('unix:'.length).replace(/^\/\/\//, '/')) };
  }
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(text);
  const host = tcp?.[1] ?? tcp?.[2];
  const port = Number(tcp?.[3] ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new RocksyError('invalid_request', `Not an address: '${text}'`, {
      hint: 'expected unix:/path/to/socket or tcp://host:port',
    });
  }
  return { kind: 'tcp', host, port };
}

/** The address as `parseAddress` reads it. */
export function addressText(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/**
 * Where to look for a daemon when nobody said where: `ROCKSY_SOCKET` alone, else the system's socket, then the one of
 * the current folder. That one counts only when it belongs to root or to this user: in a folder of somebody else it
 * could be a trap that collects what is sent.
 */
export function defaultAddresses(env: { readonly ROCKSY_SOCKET?: string | undefined }): readonly Address[] {
  if (env.ROCKSY_SOCKET !== undefined && env.ROCKSY_SOCKET !== '') return [parseAddress(env.ROCKSY_SOCKET)];
  const here = resolve(FOLDER_SOCKET);
  const system: Address = { kind: 'unix', path: SYSTEM_SOCKET };
  return ownerIsTrusted(here) ? [system, { kind: 'unix', path: here }] : [system];
}

function ownerIsTrusted(path: string): boolean {
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  return owner === undefined || owner === 0 || owner === process.getuid?.();
}
