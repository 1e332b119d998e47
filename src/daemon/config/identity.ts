import { type Findings, type KeyPath, suggest } from '../../document/index.ts';
import type { RawPool } from './schema.ts';
import type { Surroundings } from './surroundings.ts';

/** As whom a pool's zygote and runs live; `null` is no change. */
export interface Identity {
  readonly user: string | null;
  readonly group: string | null;
}

const unchanged: Identity = { user: null, group: null };

export function resolveIdentity(
  raw: RawPool,
  path: KeyPath,
  surroundings: Surroundings,
  findings: Findings,
): Identity {
  checkKnown(raw, path, surroundings, findings);
  return surroundings.uid === 0
    ? identityUnderRoot(raw, path, surroundings, findings)
    : identityUnderUser(raw, path, surroundings, findings);
}

/** Do the pool's scripts run as root? */
export function runsAsRoot({ user }: Identity, { uid, users }: Surroundings): boolean {
  return uid === 0 && (user === null || users.get(user)?.uid === 0);
}

function checkKnown(
  { user, group }: RawPool,
  path: KeyPath,
  { users, groups }: Surroundings,
  findings: Findings,
): void {
  if (user !== undefined && !users.has(user)) {
    findings.problem(
      [...path, 'user'],
      `no user ${user} in /etc/passwd`,
      hinted(suggest(user, users.keys())),
    );
  }
  if (group !== undefined && !groups.has(group)) {
    const hint = suggest(group, groups.keys());
    findings.problem([...path, 'group'], `no group ${group} in /etc/group`, hinted(hint));
  }
}

function identityUnderRoot(
  { user, group }: RawPool,
  path: KeyPath,
  { users, groups }: Surroundings,
  findings: Findings,
): Identity {
  if (user === undefined) {
    findings.problem(
      [...path, 'user'],
      'missing: rocksyd runs as root, its scripts need a user of their own',
      {
        hint: 'say `user: www-data`, or `user: root` if you mean it',
      },
    );
    return unchanged;
  }
  const entry = users.get(user);
  if (entry?.uid === 0) findings.warning([...path, 'user'], 'the scripts of this pool run as root');
  return { user, group: group ?? (entry ? groupName(entry.gid, groups) : null) };
}

/** setuid(2), setgid(2): without privileges nothing but what one is already. */
function identityUnderUser(
  { user, group }: RawPool,
  path: KeyPath,
  { uid, users, groups }: Surroundings,
  findings: Findings,
): Identity {
  const [ownName = String(uid), own] = [...users].find(([, entry]) => entry.uid === uid) ?? [];
  if (user !== undefined && users.has(user) && users.get(user)?.uid !== uid) {
    findings.problem([...path, 'user'], `only root can run scripts as ${user}; rocksyd runs as ${ownName}`, {
      hint: 'leave it out, or start rocksyd as root',
    });
  }
  if (group !== undefined && groups.has(group) && groups.get(group) !== own?.gid) {
    findings.problem([...path, 'group'], `only root can run scripts as group ${group}`, {
      hint: 'leave it out, or start rocksyd as root',
    });
  }
  return unchanged;
}

function groupName(gid: number, groups: ReadonlyMap<string, number>): string {
  return [...groups].find(([, number]) => number === gid)?.[0] ?? String(gid);
}

function hinted(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}
