import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { jobFileSchema, parseJobs } from './index.ts';

const ROOT = new URL('../../../', import.meta.url);

test('the schema that editors are given is the one that files are checked by (`npm run schemas`)', () => {
  const published = JSON.parse(readFileSync(new URL('schemas/jobs.json', ROOT), 'utf8'));
  assert.deepEqual(published, JSON.parse(JSON.stringify(jobFileSchema)));
});

const page = readFileSync(new URL('docs/jobs.md', ROOT), 'utf8');

test('the example of docs/jobs.md is a job file', () => {
  const example = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  assert.deepEqual(
    parseJobs(example, 'docs/jobs.md').map(({ project, name }) => `${project}/${name}`),
    ['shop/send-report', 'shop/cleanup'],
  );
});

test('docs/jobs.md has every key of a job', () => {
  const keys = Object.keys(jobFileSchema.properties.defaults.properties);
  assert.deepEqual(
    keys.filter((key) => !page.includes(`\`${key}\``)),
    [],
  );
});
