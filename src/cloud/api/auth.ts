import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { getPeerCredentials } from '../../posix/index.ts';
import type { Role, Store, TokenRecord } from '../store/index.ts';
import { ApiError } from './errors.ts';

/** Who asks, and what he may. */
export interface Asker {
  /** For the audit log. */
  readonly name: string;
  readonly role: Role;
  /** Null: every project. */
  readonly project: string | null;
}

const RANK: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };
/** How long a revoked token may still be taken for good, and how often its use is written down. */
const CACHE_MS = 2_000;
const USED_MS = 60_000;
const MAX_CACHED = 1_000;

export function newToken(): { readonly token: string; readonly hash: string } {
  const token = `rk_${randomBytes(32).toString('base64url')}`;
  return { token, hash: digestOf(token) };
}

/** Tokens are random: their digest can be looked up like a name, and nothing is to be learnt from how long that takes. */
export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export class Authentication {
  readonly #store: Store;
  readonly #cache = new Map<string, { readonly record: TokenRecord | null; readonly untilMs: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws `unauthorized`. */
  async askerOf(request: IncomingMessage): Promise<Asker> {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (token !== undefined) {
      const record = await this.#find(digestOf(token));
      if (record === null) throw new ApiError(401, 'unauthorized', 'The token is not known');
      return { name: record.name, role: record.role, project: record.project };
    }
    const local = localAsker(request);
    if (local !== null) return local;
    throw new ApiError(401, 'unauthorized', 'A token is needed', {
      detail: 'send it as `Authorization: Bearer TOKEN`; rocksy takes it from ROCKSY_TOKEN or --token-file',
    });
  }

  async #find(hash: string): Promise<TokenRecord | null> {
    const nowMs = Date.now();
    const cached = this.#cache.get(hash);
    if (cached !== undefined && cached.untilMs > nowMs) return cached.record;
    const record = await this.#store.tokens.find(hash);
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    this.#cache.set(hash, { record, untilMs: nowMs + CACHE_MS });
    if (record !== null && nowMs - (record.lastUsedMs ?? 0) > USED_MS)
      await this.#store.tokens.used(record.id, nowMs);
    return record;
  }
}

/** Over the Unix socket the kernel says who it is: the user that we run as, and root, are admins. Else null. */
function localAsker({ socket }: IncomingMessage): Asker | null {
  if (socket.remoteAddress !== undefined) return null;
  const fd = (socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle?.fd;
  if (fd === undefined || fd < 0) return null;
  const { uid } = getPeerCredentials(fd);
  if (uid !== 0 && uid !== process.getuid?.())
    throw new ApiError(403, 'forbidden', `User ${uid} of this machine needs a token`);
  return { name: uid === 0 ? 'root' : `uid ${uid}`, role: 'admin', project: null };
}

/** Throws `forbidden`. */
export function assertRole(asker: Asker, needed: Role): void {
  if (RANK[asker.role] >= RANK[needed]) return;
  throw new ApiError(403, 'forbidden', `This needs the role ${needed}; yours is ${asker.role}`);
}

/** Throws `not_found`: what is not his is not there for him. */
export function assertProject(asker: Asker, project: string, what: string): void {
  if (asker.project === null || asker.project === project) return;
  throw new ApiError(404, 'not_found', `There is no ${what}`);
}

/** The projects that a list is of. */
export function projectsOf(asker: Asker, wanted: string | undefined): readonly string[] | null {
  if (asker.project === null) return wanted === undefined ? null : [wanted];
  return wanted === undefined || wanted === asker.project ? [asker.project] : [];
}
