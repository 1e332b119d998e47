import fs from 'node:fs';
import path from 'node:path';
import { DocumentError, readText } from '../document/index.ts';
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
  const copy = path.join(keeper.lockDir, FILE);
  if (!fs.existsSync(copy)) return null;
  const text = readText(copy);
  return { config: parseConfig(text, file), text };
}

/** Notes that this configuration serves. It may hold secrets: for nobody else's eyes. */
export function noteGood({ text }: Loaded, keeper: KeeperChannel): void {
  const copy = path.join(keeper.lockDir, FILE);
  // Mostly it is there: who waits for this worker does not wait for the disk.
  if (fs.existsSync(copy) && fs.readFileSync(copy, 'utf8') === text) return;
  fs.writeFileSync(`${copy}.new`, text, { mode: 0o600 });
  fs.renameSync(`${copy}.new`, copy);
}
