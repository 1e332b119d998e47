import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where npm puts the package `node`, seen from a folder of the package that depends on it. */
const PLACES = ['../node_modules/node/bin/node', '../../node/bin/node'];

/**
 * For `execPath` of KeeperOptions: a release brings its own Node, and the one that the keeper runs under may be gone with
 * the release it came from.
 */
export function nodeBeside(entry: string): string {
  return (
    PLACES.map((place) => join(dirname(entry), place)).find((file) => existsSync(file)) ?? process.execPath
  );
}
