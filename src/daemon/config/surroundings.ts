import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What a configuration is checked against besides files: passed in, so that a test can be any user anywhere. */
export interface Surroundings {
  /** The daemon's effective user. */
  readonly uid: number;
  readonly users: ReadonlyMap<string, { readonly uid: number; readonly gid: number }>;
  /** From names to numbers. */
  readonly groups: ReadonlyMap<string, number>;
  /** As the variable PATH. */
  readonly path: string;
  /** systemd's $CREDENTIALS_DIRECTORY, where the service has one. */
  readonly credentials: string | null;
  /** The machine's own name. */
  readonly hostname: string;
  /** How many processors the daemon may use. */
  readonly processors: number;
}

/** The machine and process that this runs in. */
export function realSurroundings(): Surroundings {
  return {
    uid: process.geteuid?.() ?? 0,
    users: new Map(
      entries('/etc/passwd').map(([name = '', , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
    ),
    groups: new Map(entries('/etc/group').map(([name = '', , gid]) => [name, Number(gid)])),
    path: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    credentials: process.env.CREDENTIALS_DIRECTORY ?? null,
    hostname: os.hostname(),
    processors: os.availableParallelism(),
  };
}

/** passwd(5), group(5): fields between colons. A minimal container may lack the file: then there is nobody. */
function entries(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
