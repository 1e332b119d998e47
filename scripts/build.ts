// Builds `dist`, what the published package runs: Node strips no types below node_modules, so it gets
// JavaScript and declarations, and beside them the zygotes that are written in other languages.

import { spawnSync } from 'node:child_process';
import { cpSync, globSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src');
const dist = join(root, 'dist');

/** Files that are run as they are. tsc does not copy them. */
const assets = [
  'zygote/php/*.php',
  'zygote/python/*.py',
  'zygote/python/rocksy/**/*.py',
  'zygote/command/*.pl',
];

rmSync(dist, { recursive: true, force: true });

const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status, error } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
if (error) throw error;
if (status !== 0) process.exit(status ?? 1);

for (const asset of globSync(assets.map((pattern) => join(source, pattern)))) {
  cpSync(asset, join(dist, relative(source, asset)));
}
