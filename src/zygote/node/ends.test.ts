// Every way in which a run of Node can end, forked or started.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, factsOf, job, logOf, ready } from '../contract-suite/index.ts';
import { startWithoutFork, startZygote, startZygote26, waysOf } from './zygote-under-test.ts';

const WAYS = [
  { name: 'node', start: startZygote },
  { name: 'node 26', start: startZygote26 },
  { name: 'node, fork: false', start: startWithoutFork },
];

for (const { name, start } of WAYS) {
  const ways = waysOf(start, 1);
  describe(`${name}: the end of a run`, () => {
    const EXIT = (code: number): string => `exit handler of the bootstrap: ${code}\n`;
    const ends: [how: string, code: number, facts: string[], log?: RegExp][] = [
      ['nothing', 0, []],
      ['null', 0, []],
      ['zero', 0, []],
      ['seven', 7, []],
      ['large', 255, []],
      ['negative', 255, []],
      ['fraction', 0, ['result 1.5']],
      ['text', 0, ['result "text \\"with é\\"\\nand a break"']],
      ['object', 0, ['result {"imported":1200,"at":"1970-01-01T00:00:00.000Z"}']],
      ['infinite', 255, ["error the result can't be written as JSON: Infinity"]],
      ['big', 255, ["error the result can't be written as JSON: Do not know how to serialize a BigInt"]],
      ['function', 255, ["error the result can't be written as JSON: [Function (anonymous)]"]],
      ['huge', 255, ['error the result is 70002 bytes of JSON, of which 65536 are allowed']],
      ['exit code', 6, []],
      [
        'throws',
        255,
        ['error TypeError: no such customer\\nsecond line'],
        /^Uncaught TypeError: no such customer\nsecond line\n +at .*ways\.ts:\d+:\d+\)[\s\S]*\[cause\]: Error: the cause/,
      ],
      ['rejects', 255, ['error TypeError: later'], /^Uncaught TypeError: later\n +at .*ways\.ts/],
      ['throws a text', 255, ["error 'a text'"], /^Uncaught 'a text'\n/],
      ['exits at once', 3, []],
      ['exits later', 4, []],
      ['exits without a code', 0, []],
      [
        'an exception in a timer',
        255,
        ['error RangeError: in a timer'],
        /^Uncaught RangeError: in a timer\n +at/,
      ],
      ['a rejection that nobody handles', 255, ['error RangeError: unhandled'], /^Uncaught RangeError/],
      ['an exception that is handled', 8, [], /^handled: in a timer\n/],
      ['a rejection that is handled', 9, [], /^handled: a reason\n/],
      [
        'a handler that throws',
        255,
        ['error RangeError: in the handler'],
        /^Uncaught RangeError: in the handler/,
      ],
      ['a monitor', 255, ['error Error: watched'], /^uncaughtException: watched\nUncaught Error: watched/],
      [
        'never settles',
        13,
        ['error run() has not settled, and nothing is left that it could wait for'],
        /^run\(\) has not settled/,
      ],
      // A collector that leaves tasks for threads that are not there would have its end waited for in vain.
      [
        'never settles after much garbage',
        13,
        ['error run() has not settled, and nothing is left that it could wait for'],
      ],
      ['a worker thread that makes garbage', 0, ['result "done"']],
      ['settles in beforeExit', 11, []],
      ['exits in beforeExit', 0, []],
      ['an exit handler changes the code', 12, []],
      ['an exit handler throws', 255, ['error Error: in an exit handler']],
      ['open handles', 2, []],
      ['handlers', 5, [], /^beforeExit 5\nexit handler of the bootstrap: 5\nexit 5\n$/],
    ];

    test('is what it was, and its code, its error and its log say so', async () => {
      await using zygote = ways();
      const daemon = await Conversation.serve(zygote);
      for (const [index, [how, code, expected, log]] of ends.entries()) {
        const key = `r${index}`;
        const ended = await daemon.run(key, job('End', { how }));
        assert.partialDeepStrictEqual(
          ended,
          { code, signal: null, claimed: true },
          `${how}: ${JSON.stringify(ended)}`,
        );
        assert.deepEqual(factsOf(zygote, key), [...expected, `exit ${code}`], how);
        if (log !== undefined) assert.match(logOf(zygote, key), log, how);
        if (!how.startsWith('an exit handler')) {
          assert.ok(logOf(zygote, key).includes(EXIT(code)), `${how}: ${logOf(zygote, key)}`);
        }
      }
    });

    test('comes after all of its output', async () => {
      await using zygote = ways();
      const daemon = await Conversation.serve(zygote);
      await daemon.run('a', job('End', { how: 'much output' }));
      const lines = logOf(zygote, 'a').split('\n');
      assert.deepEqual(lines.slice(19_999, 20_001), ['line 19999', 'the end']);
    });

    test('is at SIGTERM, unless the job watches ctx.signal', async () => {
      await using zygote = start();
      const daemon = await Conversation.serve(zygote);
      daemon.start('a', job('Abortable'));
      await ready(zygote, 'a');
      await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 60_000, reason: 'cancel' });
      assert.partialDeepStrictEqual(await daemon.about('a', 'ended'), { code: 0, reason: 'cancel' });
      assert.match(logOf(zygote, 'a'), /^\d{4}-.*Z ready\n$/);
      assert.deepEqual(factsOf(zygote, 'a'), ['result "cleaned up"', 'exit 0']);
    });
  });
}
