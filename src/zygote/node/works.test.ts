// A forked Node is a whole one: what jobs do works in it as in a started one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Conversation, childrenOf, logOf, runFileOf, until } from '../contract-suite/index.ts';
import { FIXTURES, startZygote } from './zygote-under-test.ts';

const WORKS: { readonly [what: string]: unknown } = {
  timers: true,
  files: 'content',
  'many requests to the threadpool': 1,
  compression: true,
  'an HTTP request': 'hello',
  'a name': true,
  'a shell': 'out\n',
  'many processes': [0, 1, 2, 3, 4, 5, 6, 7],
  'a Node of its own': true,
  'a worker thread': 42,
  'a module of its own': 42,
  WebAssembly: '[object WebAssembly.Instance]',
  'a database': 42,
  garbage: 5001,
  'a large text': 200_000,
  'standard input': 'the input',
};

/** Longer than any timer of the works. */
const STOOD_STILL_MS = 100;

for (const prefork of [0, 3]) {
  describe(`node: what jobs do works in a child (prefork: ${prefork})`, () => {
    test(Object.keys(WORKS).join(', '), async () => {
      await using zygote = startZygote({ config: { bootstrap: join(FIXTURES, 'works.ts'), prefork } });
      const daemon = await Conversation.serve(zygote);
      await until('children are parked', () => childrenOf(zygote.pid).length === prefork);
      // Time itself is what is waited for: the clock of a parked child's loop stands still until it is given a run.
      if (prefork > 0) await delay(STOOD_STILL_MS);
      for (const [index, [what, is]] of Object.entries(WORKS).entries()) {
        const key = `r${index}`;
        const ended = await daemon.run(key, { class: 'Work', params: { what } }, { stdin: 'the input' });
        assert.partialDeepStrictEqual(ended, { code: 0, signal: null }, `${what}: ${logOf(zygote, key)}`);
        assert.deepEqual(
          runFileOf(zygote, key).slice(1),
          [`result ${JSON.stringify({ is })}`, 'exit 0'],
          what,
        );
      }
    });
  });
}
