import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import { mistakesIn, type NotifyConfig, notifyConfigSchema } from './config.ts';

const common = { on: ['failed' as const], projects: null };
const SECRET = `whsec_${Buffer.alloc(24).toString('base64')}`;
const good: NotifyConfig = {
  channels: [
    { kind: 'webhook', name: 'ops', ...common, url: 'https://example.com/hook', secret: SECRET },
    {
      kind: 'slack',
      name: 'chat',
      on: [],
      projects: ['shop'],
      url: 'https://hooks.slack.com/services/T/B/x',
    },
    { kind: 'email', name: 'mail', ...common, smtp: 'smtp://u:p@mail:587', from: 'r@x.org', to: ['a@x.org'] },
  ],
  heartbeat: { url: 'https://hc.example.com/abc', everyMs: 60_000 },
};

test('a configuration is plain data of a known form', () => {
  assert.equal(Value.Check(notifyConfigSchema, JSON.parse(JSON.stringify(good))), true);
  assert.deepEqual(mistakesIn(good), []);
  assert.equal(Value.Check(notifyConfigSchema, { ...good, colour: 1 }), false);
  assert.equal(Value.Check(notifyConfigSchema, { ...good, heartbeat: { url: 'x', everyMs: 1 } }), false);
});

test('every mistake is told by its channel, and none tells a secret', () => {
  const mistakes = mistakesIn({
    channels: [
      { kind: 'webhook', name: 'a', ...common, url: 'ftp://hidden-1/', secret: 'hidden-2' },
      { kind: 'slack', name: 'a', ...common, url: 'https://u:hidden-3@x.org/' },
      { kind: 'email', name: 'b', ...common, smtp: 'mail:hidden-4', from: 'r@x.org', to: ['a@x.org'] },
    ],
    heartbeat: { url: 'hidden-5', everyMs: 1000 },
  });
  assert.deepEqual(
    mistakes.map((mistake) => mistake.replace(/ (must|are) .*/, '')),
    [
      'two channels',
      "channel 'a': url",
      "channel 'a': secret",
      "channel 'a': url",
      "channel 'b': smtp",
      'heartbeat: url',
    ],
  );
  assert.doesNotMatch(mistakes.join('\n'), /hidden/);
});
