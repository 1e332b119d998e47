import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { isEntered, isSource, sourcesOf } from './sources.ts';

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-sources-'));
after(() => fs.rmSync(top, { recursive: true }));

let places = 0;

/** Files in a folder of their own; which of its folders are watched for a bootstrap, from its path. */
function rootsOf(files: readonly string[], bootstrap: string, configuration: string): string[] {
  const place = path.join(top, `${++places}`);
  for (const file of [...files, bootstrap]) {
    fs.mkdirSync(path.dirname(path.join(place, file)), { recursive: true });
    fs.writeFileSync(path.join(place, file), '');
  }
  const pool = { bootstrap: path.join(place, bootstrap), jobs: null, envFiles: [], secrets: new Map() };
  const { roots } = sourcesOf(pool, path.join(place, configuration));
  return roots.map((root) => path.relative(place, root));
}

test('the project around a bootstrap is watched, wherever the configuration is', () => {
  assert.deepEqual(rootsOf(['shop/composer.json'], 'shop/bin/boot.php', 'etc'), ['shop']);
  assert.deepEqual(rootsOf(['shop/composer.json', 'shop/rocksy/x'], 'shop/rocksy/boot.php', 'shop/rocksy'), [
    'shop',
  ]);
});

test('all that is below the configuration is watched when the bootstrap is', () => {
  assert.deepEqual(rootsOf(['shop/app/package.json', 'shop/lib/x.ts'], 'shop/app/boot.ts', 'shop'), ['shop']);
});

test('without a project the folder of the bootstrap is watched, and not what everybody writes to', () => {
  assert.deepEqual(rootsOf([], 'alone/boot.py', 'etc'), ['alone']);
});

test('a link is followed to what it leads to', () => {
  const place = path.join(top, 'linked');
  fs.mkdirSync(path.join(place, 'releases/7'), { recursive: true });
  fs.writeFileSync(path.join(place, 'releases/7/boot.php'), '');
  fs.symlinkSync('releases/7', path.join(place, 'current'));
  const pool = {
    bootstrap: path.join(place, 'current/boot.php'),
    jobs: null,
    envFiles: [],
    secrets: new Map(),
  };
  assert.deepEqual(sourcesOf(pool, '/etc'), {
    roots: [path.join(place, 'releases/7')],
    files: [path.join(place, 'releases/7/boot.php')],
  });
});

test('code of the language and what all languages read counts, what editors and applications leave does not', () => {
  for (const name of ['Job.php', 'mail.twig', 'services.yaml', '.env', '.env.local'])
    assert.ok(isSource(name, 'php'), name);
  for (const name of [
    'job.py',
    'Job.ts',
    '.Job.php.swp',
    'Job.php~',
    '4913',
    'app.log',
    'app.sqlite',
    '#Job.php#',
    '.#Job.php',
  ])
    assert.ok(!isSource(name, 'php'), name);
  assert.ok(isSource('job.py', 'python'));
  assert.ok(isSource('Job.mts', 'node'));
});

test('folders of dependencies are not entered, nor those that applications write to at the top', () => {
  const project = path.join(top, 'project');
  fs.mkdirSync(path.join(project, 'environment'), { recursive: true });
  fs.writeFileSync(path.join(project, 'environment/pyvenv.cfg'), '');
  const entered = (folder: string): boolean => isEntered(path.join(project, folder), project);
  for (const folder of ['src', 'src/cache', 'src/log', 'dist', 'storage/app'])
    assert.ok(entered(folder), folder);
  for (const folder of [
    '.git',
    'vendor',
    'lib/node_modules',
    'var',
    'cache',
    'storage/framework',
    'environment',
  ])
    assert.ok(!entered(folder), folder);
  assert.ok(!isEntered(top, project), 'a folder around the project');
});
