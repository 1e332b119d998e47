import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation } from './conversation.ts';
import { logOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function claimsTests({ name, start, programs }: Runtime): void {
  describe(`${name}: keys and claims`, () => {
    test('a key that the zygote knows is refused, until it is acknowledged after its end', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const gate = join(zygote.folder, 'gate');
      daemon.start('a', programs.gate(gate));
      await daemon.about('a', 'claimed');
      daemon.send({ op: 'ack', key: 'a' }); // it has not ended: not forgotten
      daemon.start('a', programs.hello);
      assert.equal((await daemon.about('a', 'refused')).code, 'known');
      writeFileSync(gate, '');
      await daemon.about('a', 'ended');
      daemon.start('a', programs.hello);
      assert.equal((await daemon.about('a', 'refused')).code, 'known');
      daemon.send({ op: 'ack', key: 'a' }, { op: 'start', key: 'a', file: 'another', ...programs.hello });
      assert.equal((await daemon.about('a', 'ended')).claimed, true);
    });

    test('a run file that exists is a claim: nothing runs', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      writeFileSync(join(zygote.runs, 'a.run'), 'claim 1 1 1 elsewhere 1\n');
      const ended = await daemon.run('a', programs.hello);
      assert.equal(ended.claimed, false);
      assert.match(ended.message ?? '', /claimed/);
      assert.ok((ended.code === null) !== (ended.signal === null));
      assert.equal(daemon.named('a').includes('claimed'), false);
      assert.equal(existsSync(join(zygote.runs, 'a.log')), false);
      assert.equal(readFileSync(join(zygote.runs, 'a.run'), 'utf8'), 'claim 1 1 1 elsewhere 1\n');
    });

    test('two keys with one file: one of them runs', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.send(
        { op: 'start', key: 'a', file: 'same', ...programs.hello },
        { op: 'start', key: 'b', file: 'same', ...programs.hello },
      );
      const ended = [await daemon.about('a', 'ended'), await daemon.about('b', 'ended')];
      assert.deepEqual(ended.map(({ claimed }) => claimed).sort(), [false, true]);
      assert.equal(logOf(zygote, 'same'), 'hello\n');
    });

    const long = 'k'.repeat(256);
    const invalid: [string, object][] = [
      ['no file', { file: undefined }],
      ['a file with a folder', { file: '../a' }],
      ['an empty file', { file: '' }],
      ['a log with a folder', { log: '../a.log' }],
      ['a relative cwd', { cwd: 'tmp' }],
      ['an env that is no object of strings', { env: { A: 1 } }],
      ['a stdin that is no string', { stdin: 5 }],
      ['a timeout that is no number', { timeout_ms: 'soon' }],
      ['a key that is too long', { key: long }],
      ['neither class nor argv', { class: undefined, argv: undefined }],
    ];
    test('a start that makes no sense is refused as invalid', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      for (const [what, fields] of invalid) {
        const key = 'key' in fields ? long : 'a';
        daemon.start('a', programs.hello, fields);
        const refused = await daemon.about(key, 'refused');
        assert.equal(refused.code, 'invalid', what);
        assert.notEqual(refused.message, '', what);
      }
      assert.equal((await daemon.run('a', programs.hello)).claimed, true);
    });

    test('keys are told as they came, whatever is in them', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const keys = ['18446744073709551615', '007', '7', 'a "quoted" / é \u2028 key', 'k'.repeat(255)];
      keys.forEach((key, index) => {
        daemon.start(key, programs.hello, { file: `f${index}` });
      });
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).key, key);
    });
  });
}
