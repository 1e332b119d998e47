import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SERVER = `# rocksy server: see docs/server.md. Paths are relative to this file.
listen: [unix:./var/rocksy.sock, tcp://127.0.0.1:31380]
state: ./var/cloud
`;

const daemon = (
  user: string | null,
) => `# rocksyd: see docs/configuration.md. Paths are relative to this file.
listen: [unix:./var/rocksyd.sock]
state: ./var/daemon
pools:
  os: { runtime: command${user === null ? '' : `, user: ${user}`} }
join:
  url: http://127.0.0.1:31380
  token_file: ./var/join-token
`;

const JOBS = `# See docs/jobs.md. After a change: rocksy apply -f jobs
project: examples
defaults: { pool: os }
jobs:
  hello:
    description: says hello four times a minute
    argv: [sh, -c, 'echo "hello, it is $(date +%T); I was due at $ROCKSY_DUE"']
    schedule: { every: 15s }
  disk:
    description: how full the disk is, once a minute; summary follows it
    argv: [df, -h, /]
    schedule: "* * * * *"
    on_success: [summary]
  summary:
    description: started by disk, whose outcome it is told
    argv: [sh, -c, 'echo "$ROCKSY_PARENTS"']
  flaky:
    description: fails every other time, and is tried again
    argv: [sh, -c, 'echo "attempt $ROCKSY_ATTEMPT"; test "$ROCKSY_ATTEMPT" -gt 1']
    schedule: { every: 20s }
    retry: { failure: { max: 2, backoff: 2s } }
  nightly:
    description: in the night of Berlin; try it with rocksy trigger -f examples/nightly
    argv: [sh, -c, 'for i in 1 2 3; do echo "step $i of 3"; sleep 1; done']
    schedule: { cron: "30 2 * * *", timezone: Europe/Berlin }
`;

/** Writes what is missing of a folder to begin with; what is there is left alone. Returns what was written. */
export function prepareFolder(folder: string): {
  readonly written: readonly string[];
  readonly note: string | null;
} {
  mkdirSync(join(folder, 'jobs'), { recursive: true });
  mkdirSync(join(folder, 'var'), { recursive: true, mode: 0o711 });
  const { user, note } = poolUser(folder);
  const files: [string, string][] = [
    ['rocksy.yaml', SERVER],
    ['rocksyd.yaml', daemon(user)],
  ];
  const isNew = !existsSync(join(folder, 'rocksyd.yaml'));
  // Somebody who has deleted the examples does not want them back.
  if (isNew) files.push(['jobs/examples.yaml', JOBS]);
  const written = files.filter(([name]) => !existsSync(join(folder, name)));
  for (const [name, text] of written) writeFileSync(join(folder, name), text);
  return { written: written.map(([name]) => name), note: isNew ? note : null };
}

/** As root the pool gets a user with no rights, if that can reach the folder. */
function poolUser(folder: string): { readonly user: string | null; readonly note: string | null } {
  if (process.getuid?.() !== 0) return { user: null, note: null };
  const identity = ['--reuid=nobody', '--regid=nogroup', '--clear-groups'];
  if (spawnSync('setpriv', [...identity, 'test', '-x', folder]).status === 0)
    return { user: 'nobody', note: 'You are root: the pool os runs as nobody.' };
  return {
    user: 'root',
    note: `You are root, and nobody can't reach ${folder}: the pool os runs as root. Begin in another folder to change that.`,
  };
}
