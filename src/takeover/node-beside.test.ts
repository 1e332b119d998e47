import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { nodeBeside } from './index.ts';

test('a program runs under the Node of its own package, or one beside that, or under ours', () => {
  const root = mkdtempSync(join(tmpdir(), 'node-beside-'));
  try {
    const entry = join(root, 'node_modules/app/bin/app.js');
    assert.equal(nodeBeside(entry), process.execPath);
    for (const place of ['node_modules/node', 'node_modules/app/node_modules/node']) {
      const node = join(root, place, 'bin/node');
      mkdirSync(dirname(node), { recursive: true });
      writeFileSync(node, '');
      assert.equal(nodeBeside(entry), node);
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});
