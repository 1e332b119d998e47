import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openApi, operationTable, withTable } from './index.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), 'utf8');

test('schemas/openapi.json is what the API is answered by (`npm run schemas`)', () => {
  assert.deepEqual(JSON.parse(read('schemas/openapi.json')), JSON.parse(JSON.stringify(openApi('1'))));
});

test('docs/api.md has the operations that there are (`npm run schemas`)', () => {
  const page = read('docs/api.md');
  assert.equal(withTable(page, operationTable()), page);
});
