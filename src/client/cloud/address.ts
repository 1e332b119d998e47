import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CloudError } from './error.ts';

/** Where the cloud listens. */
export type CloudAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'http' | 'https'; readonly hostname: string; readonly port: number };

const SYSTEM_SOCKET = '/run/rocksy-server/rocksy.sock';
const FOLDER_SOCKET = './var/rocksy.sock';
const DEFAULT_PORT = 31380;

/** `http://host[:port]`, `https://host[:port]` or `unix:/path`. */
export function parseCloudAddress(text: string): CloudAddress {
  if (text.startsWith('unix:') && text.length > 'unix:'.length)
    return { kind: 'unix', path: resolve(text.slice('unix:'.length)) };
  const url = /^https?:\/\//.test(text) ? URL.parse(text) : null;
  if (url === null || url.username !== '' || !['', '/'].includes(url.pathname))
    throw new CloudError(
      'bad_address',
      0,
      `Not an address of a cloud: '${text}'`,
      'expected http://host:port, https://host or unix:/path',
    );
  const kind = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (kind === 'https' ? 443 : DEFAULT_PORT) : Number(url.port);
  return { kind, hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
}

export function cloudAddressText(address: CloudAddress): string {
  return address.kind === 'unix'
    ? `unix:${address.path}`
    : `${address.kind}://${address.hostname}:${address.port}`;
}

/**
 * Where to look for the cloud when nobody said where: ROCKSY_URL, else the system's socket, else the one of the current
 * folder, where that belongs to root or to us, else the loopback port.
 */
export function defaultCloudAddress(env: { readonly ROCKSY_URL?: string | undefined }): CloudAddress {
  if (env.ROCKSY_URL !== undefined && env.ROCKSY_URL !== '') return parseCloudAddress(env.ROCKSY_URL);
  // Only root makes folders in /run: whose the socket in it is does not matter.
  if (statSync(SYSTEM_SOCKET, { throwIfNoEntry: false }) !== undefined)
    return { kind: 'unix', path: SYSTEM_SOCKET };
  const here = resolve(FOLDER_SOCKET);
  const owner = statSync(here, { throwIfNoEntry: false })?.uid;
  if (owner === 0 || (owner !== undefined && owner === process.getuid?.()))
    return { kind: 'unix', path: here };
  return { kind: 'http', hostname: '127.0.0.1', port: DEFAULT_PORT };
}
