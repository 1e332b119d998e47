import { join, resolve } from 'node:path';
import { DocumentError, keepText, keptText, readText } from '../../document/index.ts';
import { bootId, nameOf } from '../../posix/index.ts';
import type { KeeperChannel } from '../../takeover/index.ts';
import { parseServerConfig, type ServerConfig } from './config.ts';

const FILE = 'last-good.yaml';

/** A configuration, and the text that it was made of. */
export interface Loaded {
  readonly config: ServerConfig;
  readonly text: string;
}

/** The configuration as it is now. Throws DocumentError, also where it names another folder than the keeper's. */
export function loadPresent(file: string, keeper: KeeperChannel): Loaded {
  const text = readText(resolve(file));
  const config = parseServerConfig(text, file, process.env);
  if (config.state === keeper.lockDir) return { config, text };
  const message = `can't be changed by a restart: stop rocksy server, which has ${keeper.lockDir}, and start it again`;
  throw new DocumentError(config.path, [{ line: 0, column: 0, key: 'state', message }]);
}

/**
 * The configuration that served last under this very keeper, or null. Under another one it does not count: whoever starts
 * a server by hand means the file as it is, and a former one may name a store that has been left.
 */
export function loadLastGood(file: string, keeper: KeeperChannel): Loaded | null {
  const kept = keptText(join(keeper.lockDir, FILE));
  const heading = headingOf(keeper);
  if (!kept?.startsWith(heading)) return null;
  const text = kept.slice(heading.length);
  const config = parseServerConfig(text, file, process.env);
  return config.state === keeper.lockDir ? { config, text } : null;
}

/** Notes that this configuration serves. */
export function noteGood({ text }: Loaded, keeper: KeeperChannel): void {
  keepText(join(keeper.lockDir, FILE), `${headingOf(keeper)}${text}`);
}

function headingOf({ keeperPid }: KeeperChannel): string {
  return `# What served last under process ${keeperPid}, begun at ${nameOf(keeperPid)?.startTime} of ${bootId()}\n`;
}
