import { spawnSync } from 'node:child_process';
import { type Finding, install } from './finding.ts';

const ASK_PHP = `echo json_encode([
  'version' => PHP_VERSION, 'id' => PHP_VERSION_ID, 'minor' => PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION,
  'extensions' => array_map('strtolower', get_loaded_extensions()),
  'ffi' => ini_get('ffi.enable'), 'opcache' => ini_get('opcache.enable'),
]);`;

interface Php {
  readonly version: string;
  readonly id: number;
  readonly minor: string;
  readonly extensions: readonly string[];
  readonly ffi: string | false;
  readonly opcache: string | false;
}

/** Needed extensions, and the ending of the Debian package (php8.2-…) that has each. */
const EXTENSIONS = { pcntl: 'cli', posix: 'common', ffi: 'common', 'zend opcache': 'opcache' } as const;
const OLDEST_ID = 80_200;

/** The interpreter of `php` pools and its extensions. Without PHP, command pools work all the same. */
export function phpChecks(): Finding[] {
  const php = ask();
  if (php === null) {
    return [
      {
        verdict: 'missing',
        name: 'php',
        detail: 'is not in PATH (pools of runtime php need it)',
        remedy: install('php-cli', 'php-opcache'),
      },
    ];
  }
  const version: Finding =
    php.id >= OLDEST_ID
      ? { verdict: 'ok', name: 'php', detail: php.version }
      : {
          verdict: 'missing',
          name: 'php',
          detail: `${php.version}, older than 8.2`,
          remedy: install('php-cli'),
        };
  return [version, ...Object.entries(EXTENSIONS).map(([name, ending]) => extension(php, name, ending))];
}

function extension(php: Php, extensionName: string, ending: string): Finding {
  const name = `php ${extensionName.replace('zend ', '')}`;
  const present = php.extensions.includes(extensionName);
  if (!present)
    return {
      verdict: 'missing',
      name,
      detail: 'is not loaded',
      remedy: install(`php${php.minor}-${ending}`),
    };
  if (extensionName === 'ffi' && (php.ffi === false || /^(0|off|false|no|)$/i.test(php.ffi))) {
    return {
      verdict: 'missing',
      name,
      detail: 'is switched off',
      remedy: `set ffi.enable=preload in the php.ini of \`php --ini\``,
    };
  }
  if (extensionName === 'zend opcache' && php.opcache !== '1') {
    return {
      verdict: 'warn',
      name,
      detail: 'is switched off: every run compiles its files anew',
      remedy: 'set opcache.enable=1 in php.ini',
    };
  }
  return { verdict: 'ok', name, detail: 'loaded' };
}

function ask(): Php | null {
  const { status, stdout } = spawnSync('php', ['-r', ASK_PHP], { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) return null;
  try {
    // A start-up warning may stand before the answer.
    return JSON.parse(stdout.slice(stdout.indexOf('{'))) as Php;
  } catch {
    return null;
  }
}
