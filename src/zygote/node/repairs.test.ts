// What fork breaks in Node, as seen from a run. Each of these fails when the repair is taken out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, factsOf, job, logOf, ready, resultOf } from '../contract-suite/index.ts';
import { FIXTURES, startZygote, startZygote26, waysOf } from './zygote-under-test.ts';

const ways = waysOf(startZygote);

const NODES = [
  { name: 'node', start: startZygote },
  { name: 'node 26', start: startZygote26 },
];

for (const { name, start, prefork } of NODES.flatMap((node) => [
  { ...node, prefork: 0 },
  { ...node, prefork: 2 },
])) {
  const ways = waysOf(start, prefork);
  describe(`${name}: in a child (prefork: ${prefork})`, () => {
    test('process.pid is its own, also where it was imported before the fork', async () => {
      await using zygote = ways();
      const daemon = await Conversation.serve(zygote);
      const { pid } = await daemon.run('a', job('Identity'));
      assert.deepEqual(resultOf(zygote, 'a'), { pid, imported: pid, kernel: pid });
    });

    test('process.pid is its own where the run is the first to import it', async () => {
      await using zygote = start({ config: { bootstrap: join(FIXTURES, 'late.ts'), prefork } });
      const daemon = await Conversation.serve(zygote);
      const { pid } = await daemon.run('a', job('Late'));
      assert.deepEqual(resultOf(zygote, 'a'), { pid, imported: pid });
    });

    test('random numbers, UUIDs and integers are its own', async () => {
      await using zygote = ways();
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
      await using zygote = ways();
      const daemon = await Conversation.serve(zygote);
      assert.equal((await daemon.run('a', job('Hashed'))).code, 64);
    });

    test('what the zygote asks of the threadpool later is done as well', async () => {
      await using zygote = start({ config: { bootstrap: join(FIXTURES, 'asks-again.ts'), prefork } });
      const daemon = await Conversation.serve(zygote);
      for (let round = 0; round < 20; round++) {
        const ended = await daemon.run(`r${round}`, job('Asked'));
        assert.equal(ended.code, 0, logOf(zygote, `r${round}`));
      }
    });

    test('signal handlers of the bootstrap hold, and its exit handlers', async () => {
      await using zygote = ways();
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

  test('marks nothing for its children to optimize, and they do as any Node', async () => {
    await using zygote = ways();
    const daemon = await Conversation.serve(zygote);
    for (let round = 0; round < 200; round++) {
      await daemon.run(`r${round}`, job('Optimized'));
      daemon.send({ op: 'ack', key: `r${round}` });
    }
    const optimizedIn = (round: number) => new Set(resultOf(zygote, `r${round}`).ofNode as string[]);
    const last = Array.from({ length: 10 }, (_, i) => 190 + i);
    // What one child has marked for itself, none of the others has.
    const inherited = last.map(optimizedIn).reduce((all, own) => all.intersection(own));
    assert.deepEqual([...inherited.difference(optimizedIn(0))], []);
    for (const round of last) assert.equal(resultOf(zygote, `r${round}`).own, true);
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

describe('node: a run', () => {
  for (const prefork of [0, 1]) {
    test(`gets its parameters as they came, and its context last (prefork: ${prefork})`, async () => {
      await using zygote = ways();
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
