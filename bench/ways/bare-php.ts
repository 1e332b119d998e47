import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { BOOTSTRAP, OPCACHE } from '../support/php.ts';
import type { Site } from '../support/site.ts';
import { type Bare, type BareOptions, parseBare } from './bare.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../original/bare.php');

/** In a PHP process that has loaded the same framework. */
export function bareForkOfPhp(site: Site, { seconds, atOnce, hugePages }: BareOptions): Bare {
  const text = execFileSync('php', [...OPCACHE, PROGRAM, BOOTSTRAP, String(seconds), String(atOnce)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    // The allocator's huge pages are what Rocksy starts its zygotes with: the limit gets them too.
    env: { ...process.env, SHOP_CACHE: site.forUs(), USE_ZEND_ALLOC_HUGE_PAGES: hugePages ? '1' : '0' },
  });
  return parseBare(text);
}
