import { createHash, timingSafeEqual } from 'node:crypto';
import { type RequestName, RocksyError } from '../../wire/index.ts';
import type { Auth, Role } from '../config/index.ts';

const RANK: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };

/** The least role that a request needs; null: anybody may say it. */
const NEEDED: Record<RequestName, Role | null> = {
  hello: null,
  bye: null,
  status: 'viewer',
  list: 'viewer',
  wait: 'viewer',
  check: 'viewer',
  logs: 'viewer',
  search: 'viewer',
  subscribe: 'viewer',
  unsubscribe: 'viewer',
  pools: 'viewer',
  stats: 'viewer',
  host: 'operator',
  run: 'operator',
  signal: 'operator',
  cancel: 'operator',
  terminate: 'operator',
  free: 'operator',
  reload: 'admin',
  drain: 'admin',
  stop: 'admin',
  restart: 'admin',
};

/** Throws `unauthorized` where nothing is known of the client, `forbidden` where its role does not allow the request. */
export function authorize(role: Role | null, request: RequestName): void {
  const needed = NEEDED[request];
  if (needed === null) return;
  if (role === null) {
    throw new RocksyError('unauthorized', 'This listener wants to know who you are', {
      hint: 'send: hello {"token":"…"} first',
    });
  }
  if (RANK[role] < RANK[needed]) {
    throw new RocksyError('forbidden', `'${request}' needs the role ${needed}; yours is ${role}`);
  }
}

/** The role of a token, or null when there is no such token. Takes the same time whichever digests differ where. */
export function roleOfToken(auth: Auth, token: string): Role | null {
  if (auth.kind === 'none') return null;
  const digest = createHash('sha256').update(token).digest();
  let role: Role | null = null;
  for (const known of auth.tokens) {
    if (timingSafeEqual(digest, Buffer.from(known.sha256, 'hex'))) role = known.role;
  }
  return role;
}
