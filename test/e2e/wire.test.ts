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

test('a progress event hides what the configuration masks, as answers do', async () => {
  await using daemon = await TestDaemon.start({
    pools: '  os: { runtime: command, {user} }',
    more: "mask: ['secret-\\w+']",
  });
  using watcher = await Wire.open(daemon.socket);
  await watcher.ask('subscribe {"id":1,"events":["progress"]}');
  using wire = await Wire.open(daemon.socket);
  const script = 'echo progress 40 with secret-stuff >> $ROCKSY_RUN_FILE; exec sleep 1000';
  assert.equal((await wire.ask(`run {"id":1,"key":"k","argv":["sh","-c","${script}"]}`)).ok, true);
  const { event, progress } = await watcher.json();
  assert.deepEqual([event, progress], ['progress', { percent: 40, text: 'with ***' }]);
  const { run } = await wire.ask('check {"id":2,"key":"k"}');
  assert.deepEqual((run as Record<string, unknown>).progress, { percent: 40, text: 'with ***' });
});

test('a following logs that is unsubscribed is answered, and its id can be used again', async () => {
  await using daemon = await TestDaemon.start({ pools: '  os: { runtime: command, {user} }' });
  using wire = await Wire.open(daemon.socket);
  await wire.ask('run {"id":"r","key":"k","argv":["sh","-c","echo one; exec sleep 1000"]}');
  const id = '18446744073709551615';
  for (let turn = 0; turn < 2; turn++) {
    wire.send(`logs {"id":${id},"key":"k","follow":true}`);
    assert.match((await wire.line()) ?? '', /"event":"data".*"next_offset":4}$/);
    assert.equal((await wire.ask(`logs {"id":${id},"key":"k","follow":true}`)).code, 'invalid_request');
    wire.send(`unsubscribe {"id":"u","subscription":${id}}`);
    const heard = [await wire.line(), await wire.line()].join('\n');
    assert.match(heard, /"id":"u","ok":true/);
    assert.match(heard, /"id":18446744073709551615,"ok":true,"next_offset":4,"end":false/);
  }
  assert.equal((await wire.ask(`unsubscribe {"id":"u","subscription":${id}}`)).code, 'not_found');
});

test('docs/wire.md lists every error code', () => {
  const codes = DOCUMENT.slice(DOCUMENT.indexOf('### Error codes'), DOCUMENT.indexOf('### Limits'));
  for (const code of ERROR_CODES) assert.ok(codes.includes(`\`${code}\``), code);
});
