import { execFileSync } from 'node:child_process';
import type { Account } from '../../zygote/index.ts';

/**
 * The account of a user, by the system's name services (`getent`), so that LDAP's and systemd's users are found too.
 * Throws where there is no such user.
 */
export function lookUpAccount(user: string): Account {
  const line = execFileSync('getent', ['passwd', '--', user], { encoding: 'utf8' }).trim();
  const [name = user, , uid, gid, , home = '/', shell = '/bin/sh'] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell === '' ? '/bin/sh' : shell };
}
