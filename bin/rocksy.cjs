#!/bin/sh
//bin/true; self=$(readlink -f "$0") || exit 1; here=${self%/*} # To a shell these three lines are commands, to JavaScript comments:
//bin/true; for node in "$here/../node_modules/node/bin/node" "$here/../../node/bin/node"; do [ -x "$node" ] && exec "$node" "$0" "$@"; done # the package's own Node
//bin/true; command -v node >/dev/null && exec node "$0" "$@"; echo 'rocksy needs Node.js 24 or newer; there is none. Install it, or run it through npm, which brings its own.' >&2; exit 1 # or PATH's; exec keeps the pid

// Syntax that Node 10 parses, and no require('node:…') before the version is known.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `rocksy needs Node.js 24 or newer; this is v${process.versions.node} (${process.execPath}). ` +
      'Install it, or run it through npm, which brings its own.',
  );
  process.exit(1);
}

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const compileCache = require('./compile-cache.cjs');

/** In a checkout the source wins, however old a `dist` stands beside it; a published package has no `src`. */
function entry() {
  const root = join(__dirname, '..');
  const published = existsSync(join(root, 'dist')) && !existsSync(join(root, 'src'));
  return published ? join(root, 'dist/cli/rocksy.js') : join(root, 'src/cli/rocksy.ts');
}

compileCache.enable();

import(pathToFileURL(entry()).href)
  .then((module) => Promise.all([module.main(process.argv.slice(2)), compileCache.tidy()]))
  .catch((error) => {
    const unmet = error.code === 'ERR_MODULE_NOT_FOUND' && /^Cannot find package/.test(error.message);
    console.error(unmet ? `rocksy: ${error.message}. Run \`npm ci\` first.` : error);
    process.exit(1);
  });
