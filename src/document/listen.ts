import { BlockList, isIP, isIPv6 } from 'node:net';
import { resolve } from 'node:path';

/** `name` is the text as configured, normalised (`tcp://127.0.0.1:31337`, `unix:/srv/app/var/rocksyd.sock`). */
export type Listen =
  | { readonly name: string; readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly name: string; readonly kind: 'unix'; readonly path: string; readonly mode: number };

/** What is wrong with an address. */
export interface BadAddress {
  readonly message: string;
  readonly hint?: string;
}

const defaultMode = 0o600;
/** sun_path of unix(7) without its final zero byte. */
const maxSocketPathBytes = 107;

/** `tcp://HOST[:PORT]` or `unix:PATH[?mode=0660]`, its path relative to `dir`. */
export function parseListen(text: string, dir: string, defaultPort: number): Listen | BadAddress {
  if (text.startsWith('tcp://')) return parseTcp(text, defaultPort);
  if (text.startsWith('unix:')) return parseUnix(text, dir);
  return { message: `expected tcp://HOST:PORT or unix:PATH, got ${JSON.stringify(text)}` };
}

export function isBadAddress(result: Listen | BadAddress): result is BadAddress {
  return 'message' in result;
}

function parseTcp(text: string, defaultPort: number): Listen | BadAddress {
  const url = /^tcp:\/\/[^/?#@]+$/.test(text) ? URL.parse(text) : null;
  const host = url && normalisedHost(url.hostname);
  if (!url || !host) {
    return {
      message: `expected tcp://HOST:PORT, got ${JSON.stringify(text)}`,
      hint: `tcp://127.0.0.1:${defaultPort}`,
    };
  }
  const port = url.port === '' ? defaultPort : Number(url.port);
  const name = `tcp://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return Object.freeze({ name, kind: 'tcp', host, port });
}

/** Lower case, IPv6 without brackets, localhost as the one address that every machine has. */
function normalisedHost(hostname: string): string | null {
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (host === 'localhost') return '127.0.0.1';
  if (isIP(host) !== 0) return host;
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(host) && /[a-z]/.test(host);
  return isName ? host : null;
}

function parseUnix(text: string, dir: string): Listen | BadAddress {
  const [, written = '', query] = /^unix:([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  if (written === '' || written.endsWith('/')) {
    return { message: `expected unix:PATH, got ${JSON.stringify(text)}`, hint: 'unix:./var/rocksyd.sock' };
  }
  if (/^\/\/[^/]/.test(written)) {
    return {
      message: `unix:// wants an absolute path, got ${JSON.stringify(text)}`,
      hint: `unix:${written.slice(1)} or unix:./${written.slice(2)}`,
    };
  }
  const mode = query === undefined ? '' : /^mode=0?([0-7]{3})$/.exec(query)?.[1];
  if (mode === undefined) {
    return {
      message: `expected ?mode= with an octal file mode, got ${JSON.stringify(`?${query}`)}`,
      hint: '?mode=0660',
    };
  }
  const path = resolve(dir, written);
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes) {
    return {
      message: `the path of a socket has at most ${maxSocketPathBytes} bytes, ${path} has ${bytes}`,
      hint: 'put it in a folder with a shorter name, such as /run/rocksy',
    };
  }
  return Object.freeze({
    name: `unix:${path}`,
    kind: 'unix',
    path,
    mode: mode === '' ? defaultMode : Number.parseInt(mode, 8),
  });
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Is that this machine, by an address or by the name that always means it? As in a URL: IPv6 in brackets. */
export function isLoopbackHost(hostname: string): boolean {
  const host = normalisedHost(hostname);
  return host !== null && !isBeyondLoopback({ name: host, kind: 'tcp', host, port: 0 });
}

/** Can other machines connect? A name may lead anywhere, so it counts as if they could. */
export function isBeyondLoopback(listen: Listen): boolean {
  if (listen.kind === 'unix') return false;
  const family = isIP(listen.host);
  return family === 0 || !loopback.check(listen.host, family === 6 ? 'ipv6' : 'ipv4');
}
