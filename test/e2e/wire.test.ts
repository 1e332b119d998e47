import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES } from '../../src/wire/index.ts';
import { TestDaemon } from '../support/daemon.ts';
import { parseTranscript, replay } from '../support/transcript.ts';
import { Wire } from '../support/wire.ts';

const FILE = 'docs/wire.md';
const DOCUMENT = fs.readFileSync(path.resolve(import.meta.dirname, '../..', FILE), 'utf8');

test('the session in docs/wire.md goes as it is written, to the byte', async () => {
  await using daemon = await TestDaemon.start({ pools: '  os: { runtime: command, {user} }' });
  const steps = parseTranscript(DOCUMENT);
  assert.ok(steps.length > 80, `${steps.length} steps`);
  await replay(FILE, steps, () => Wire.open(daemon.socket));
  assert.equal(await daemon.exited(), 0);
});

test('the session has each of the original seven requests, without id and key', () => {
  const sent = parseTranscript(DOCUMENT)
    .filter(({ kind, text }) => kind === 'sends' && !/"(id|key)":/.test(text))
    .map(({ text }) => text.split(' ')[0]);
  for (const name of ['run', 'check', 'free', 'terminate', 'restart', 'stop', 'bye'])
    assert.ok(sent.includes(name), name);
});

test('docs/wire.md lists every error code', () => {
  const codes = DOCUMENT.slice(DOCUMENT.indexOf('### Error codes'), DOCUMENT.indexOf('### Limits'));
  for (const code of ERROR_CODES) assert.ok(codes.includes(`\`${code}\``), code);
});
