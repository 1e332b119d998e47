import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadServerConfig, serverConfigSchema } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-server-'));
after(() => rmSync(folder, { recursive: true }));
const page = readFileSync(new URL('../../../docs/server.md', import.meta.url), 'utf8');

function load(text: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(folder, 'rocksy.yaml');
  writeFileSync(file, text);
  return loadServerConfig(file, env);
}

test('an empty file is a configuration: loopback, SQLite, nobody else', () => {
  const config = load('');
  assert.deepEqual(
    config.listen.map(({ name }) => name),
    [`unix:${folder}/var/rocksy.sock`, 'tcp://127.0.0.1:31380'],
  );
  assert.equal(config.store, `sqlite:${folder}/var/cloud/store.db`);
  assert.deepEqual(config.alerts, { channels: [], heartbeat: null });
});

test('the example of docs/server.md is one', () => {
  const example = /```yaml\n(.*?)```/s.exec(page)?.[1] ?? '';
  assert.equal(load(example, { ROCKSY_STORE: 'postgres://db/rocksy' }).store, 'postgres://db/rocksy');
  assert.throws(() => load(example), /ROCKSY_STORE is not set/);
});

test('what other machines could reach wants to be said', () => {
  assert.throws(() => load('listen: [tcp://0.0.0.0:31380]'), /there is no TLS/);
  assert.equal(load('listen: [tcp://0.0.0.0:31380]\ninsecure: true').listen.length, 1);
});

test('no secret is in a message', () => {
  const wrong =
    'store: postgres://user:geheim@db/x\nalerts: { channels: [{ name: a, kind: webhook, url: x, secret: whsec_geheim }] }';
  assert.throws(
    () => load(wrong),
    (error: Error) => !error.message.includes('geheim'),
  );
});

test('docs/server.md has every key', () => {
  const keys = Object.entries(serverConfigSchema.properties).flatMap(([key, schema]) => {
    const inner = 'properties' in schema ? Object.keys(schema.properties as object) : [];
    return key === 'alerts' || inner.length === 0 ? [key] : inner.map((each) => `${key}.${each}`);
  });
  assert.deepEqual(
    keys.filter((key) => !page.includes(`\`${key}\``)),
    [],
  );
});
