import path from 'node:path';
import { DocumentError, keepText, keptText, readText } from '../document/index.ts';
import type { KeeperChannel } from '../takeover/index.ts';
import { type Config, parseConfig } from './config/index.ts';

const FILE = 'last-good.yaml';

/** A configuration, and the text that it was made of. */
export interface Loaded {
  readonly config: Config;
  readonly text: string;
}

/** The configuration as it is now. Throws DocumentError, also where it names another state directory than the keeper's. */
export function loadPresent(file: string, keeper: KeeperChannel): Loaded {
  const text = readText(file);
  const config = parseConfig(text, file);
  if (config.state === keeper.lockDir) return { config, text };
  const message = `can't be changed by a restart: stop rocksyd, which has ${keeper.lockDir}, and start it again`;
  throw new DocumentError(file, [{ line: 0, column: 0, key: 'state', message }]);
}

/**
 * The configuration that served last, or null: for a worker that is started again after a crash. Nobody has asked for
 * what may have been written into the file since then, and nobody is there to hear that it is no good.
 */
export function loadLastGood(file: string, keeper: KeeperChannel): Loaded | null {
  const text = keptText(path.join(keeper.lockDir, FILE));
  return text === null ? null : { config: parseConfig(text, file), text };
}

/** Notes that this configuration serves. */
export function noteGood({ text }: Loaded, keeper: KeeperChannel): void {
  keepText(path.join(keeper.lockDir, FILE), text);
}
