// What fork breaks in Node, as seen from a run. Each of these fails when the repair is taken out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  Conversation,
  factsOf,
  job,
  logOf,
  ready,
  resultOf,
  type TestedZygote,
} from '../contract-suite/index.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

const ways = (prefork = 0): TestedZygote =>
  startZygote({ config: { bootstrap: join(FIXTURES, 'ways.ts'), prefork } });

for (const prefork of [0, 2]) {
  describe(`node: in a child (prefork: ${prefork})`, () => {
    test('process.pid is its own, also where it was imported before the fork', async () => {
      await using zygote = ways(prefork);
      const daemon = await Conversation.serve(zygote);
      const { pid } = await daemon.run('a', job('Identity'));
      assert.deepEqual(resultOf(zygote, 'a'), { pid, imported: pid, kernel: pid });
    });

    test('random numbers, UUIDs and integers are its own', async () => {
      await using zygote = ways(prefork);
      const daemon = await Conversation.serve(zygote);
      const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
      daemon.send(...keys.map((key) => ({ op: 'start', key, file: key, ...job('Random') })));
      for (const key of keys) assert.equal((await daemon.about(key, 'ended')).code, 0);
      const drawn = keys.map((key) => resultOf(zygote, key));
      for (const source of ['math', 'uuid', 'web', 'integer']) {
        assert.equal(new Set(drawn.map((values) => values[source])).size, keys.length, source);
      }
    });

    test('what the threadpool was doing for the bootstrap is done', async () => {
      await using zygote = ways(prefork);
      const daemon = await Conversation.serve(zygote);
      assert.equal((await daemon.run('a', job('Hashed'))).code, 64);
    });

    test('signal handlers of the bootstrap hold, and its exit handlers', async () => {
      await using zygote = ways(prefork);
      const daemon = await Conversation.serve(zygote);
      assert.equal((await daemon.run('a', job('Poke'))).code, 0);
      assert.equal(
        logOf(zygote, 'a'),
        'SIGUSR2 in the handler of the bootstrap\nexit handler of the bootstrap: 0\n',
      );
      daemon.start('b', job('Sleep'));
      await ready(zygote, 'b');
      await daemon.ask({ op: 'signal', key: 'b', signal: 15 });
      assert.equal((await daemon.about('b', 'ended')).code, 40);
    });
  });
}

describe('node: the zygote', () => {
  test('has no signal handler of the bootstrap: SIGTERM drains it', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    daemon.start('a', job('Sleep'));
    await ready(zygote, 'a');
    process.kill(zygote.pid, 'SIGTERM');
    await daemon.ask({ op: 'signal', key: 'a', signal: 9 });
    await daemon.about('a', 'ended');
    daemon.send({ op: 'ack', key: 'a' });
    assert.deepEqual(await zygote.exit, { code: 0, signal: null });
    assert.doesNotMatch(readFileSync(zygote.bootLog, 'utf8'), /SIGTERM in/);
  });

  test('is not told of a signal that a child gets at its birth', async () => {
    await using zygote = startZygote();
    const daemon = await Conversation.serve(zygote);
    for (let round = 0; round < 10; round++) {
      const key = `r${round}`;
      daemon.send(
        { op: 'start', key, file: key, class: 'Wait', params: {} },
        { op: 'cancel', id: 1000 + round, key, kill_after_ms: 60_000, reason: 'cancel' },
      );
      assert.partialDeepStrictEqual(await daemon.about(key, 'ended'), { signal: 15, reason: 'cancel' });
    }
    assert.equal((await daemon.hello(2)).draining, false);
  });

  test('draws random numbers evenly', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    await daemon.run('a', job('Numbers'));
    assert.deepEqual(resultOf(zygote, 'a'), {
      integers: [-2, -1, 0, 1, 2],
      later: true,
      refused: 'ERR_OUT_OF_RANGE',
      uuid: true,
      inRange: true,
      different: 10_000,
      centred: true,
    });
  });
});

describe('node: the end of a run', () => {
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
    ['settles in beforeExit', 11, []],
    ['exits in beforeExit', 0, []],
    ['an exit handler changes the code', 12, []],
    ['an exit handler throws', 255, ['error Error: in an exit handler']],
    ['open handles', 2, []],
    ['handlers', 5, [], /^beforeExit 5\nexit handler of the bootstrap: 5\nexit 5\n$/],
  ];

  test('is what it was, and its code, its error and its log say so', async () => {
    await using zygote = ways(1);
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
    await using zygote = startZygote();
    const daemon = await Conversation.serve(zygote);
    daemon.start('a', job('Abortable'));
    await ready(zygote, 'a');
    await daemon.ask({ op: 'cancel', key: 'a', kill_after_ms: 60_000, reason: 'cancel' });
    assert.partialDeepStrictEqual(await daemon.about('a', 'ended'), { code: 0, reason: 'cancel' });
    assert.match(logOf(zygote, 'a'), /^\d{4}-.*Z ready\n$/);
    assert.deepEqual(factsOf(zygote, 'a'), ['result "cleaned up"', 'exit 0']);
  });
});

describe('node: a run', () => {
  for (const prefork of [0, 1]) {
    test(`gets its parameters as they came, and its context last (prefork: ${prefork})`, async () => {
      await using zygote = ways(prefork);
      const daemon = await Conversation.serve(zygote);
      await daemon.run('a', job('Params', { list: [1, 'é', null] }));
      assert.deepEqual(resultOf(zygote, 'a'), [{ list: [1, 'é', null] }]);
      await daemon.run('b', { class: 'Params' });
      assert.deepEqual(resultOf(zygote, 'b'), [[]]);
      await daemon.run('c', job('Params', 'x'.repeat(60_000)));
      assert.deepEqual(resultOf(zygote, 'c'), ['x'.repeat(60_000)]);
    });
  }

  test('tells its progress', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    await daemon.run('a', job('Tells'));
    assert.deepEqual(factsOf(zygote, 'a'), [
      'progress 0 two\\nlines',
      `progress 100 ${'é'.repeat(500)}`,
      'progress 7',
      'exit 0',
    ]);
  });

  test('of a class that is none fails and says why', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    for (const [name, error] of [
      ['Nope', /^error Error: there is no class Nope in the `jobs` of .*ways\.ts$/],
      ['NotAClass', /^error TypeError: NotAClass is not a class/],
      ['NoRun', /^error TypeError: class NoRun has no method run\(\)$/],
    ] as const) {
      assert.equal((await daemon.run(name, job(name))).code, 255);
      assert.match(factsOf(zygote, name)[0] ?? '', error);
    }
  });

  test('is no argv', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    daemon.start('a', { argv: ['true'] });
    assert.match((await daemon.about('a', 'refused')).message, /class/);
  });
});
