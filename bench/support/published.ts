import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

/**
 * Unpacks the package as it would be published from this checkout, and returns its `rocksyd`: what users run, compiled,
 * and untouched by who edits the checkout meanwhile. What it depends on it finds in the checkout.
 */
export function publish(folder: string): string {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const pack = ['pack', '--json', '--silent', '--foreground-scripts=false', '--pack-destination', folder];
  const [{ filename }] = JSON.parse(execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' })) as [
    { filename: string },
  ];
  execFileSync('tar', ['-xzf', path.join(folder, filename), '-C', folder, '--strip-components=1']);
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return path.join(folder, 'bin/rocksyd.cjs');
}
