import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressText, defaultAddresses, parseAddress } from './address.ts';

test('addresses are read as people write them', () => {
  const forms = {
    'unix:/run/x.sock': 'unix:/run/x.sock',
    'unix:///run/x.sock': 'unix:/run/x.sock',
    '/run/x.sock': 'unix:/run/x.sock',
    'tcp://localhost:4000': 'tcp://localhost:4000',
    'tcp://[::1]:4000': 'tcp://[::1]:4000',
    'tcp://10.0.0.1': 'tcp://10.0.0.1:31337',
  };
  for (const [written, read] of Object.entries(forms)) assert.equal(addressText(parseAddress(written)), read);
});

test('what is no address is refused with what was expected', () => {
  for (const text of [
    '',
    'unix:',
    'http://x:1',
    'tcp://x:0',
    'tcp://x:70000',
    'tcp://x:1/path',
    'localhost:31337',
  ]) {
    assert.throws(() => parseAddress(text), { code: 'invalid_request', hint: /unix:.*tcp:/ }, text);
  }
});

test('ROCKSY_SOCKET stands alone; without it the system’s socket comes before the folder’s', () => {
  assert.deepEqual(defaultAddresses({ ROCKSY_SOCKET: 'tcp://h:1' }).map(addressText), ['tcp://h:1']);
  assert.deepEqual(defaultAddresses({ ROCKSY_SOCKET: '' }).map(addressText), [
    'unix:/run/rocksy/rocksyd.sock',
    `unix:${process.cwd()}/var/rocksyd.sock`,
  ]);
});
