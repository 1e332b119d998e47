// Bootstraps of the suite, each loaded by a zygote of its own; started as programs, so there is nothing to import here but
// where they stand.
// Must not know who tries them.
import { fileURLToPath } from 'node:url';

/** `.ts` in a checkout, `.js` in the published package. */
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** What they leave on purpose, as a pool's `allow`. */
export const ALLOW: readonly string[] = ['timer'];

export const BOOTSTRAPS: readonly string[] = ['idle', 'busy'].map((name) =>
  fileURLToPath(new URL(`./${name}.${EXTENSION}`, import.meta.url)),
);
