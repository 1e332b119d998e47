import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Conversation, until } from './conversation.ts';
import { childrenOf, isAlive, logOf, ready, runFileOf, signalSet, statOf } from './looking.ts';
import type { Runtime } from './runtime.ts';

export function runsTests({ name, start, programs, features }: Runtime): void {
  describe(`${name}: a run`, () => {
    test('is forked, claimed, ended, in this order; its output is in its log, its facts in its run file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.hello);
      await until('it has ended', () => daemon.named('a').includes('ended'));
      assert.deepEqual(daemon.named('a'), ['forked', 'claimed', 'ended']);
      const [forked, claimed, ended] = daemon.events;
      assert.equal(ended?.event, 'ended');
      assert.ok(forked?.event === 'forked' && claimed?.event === 'claimed' && ended?.event === 'ended');
      const { cpu_user_ms, cpu_system_ms, max_rss_bytes, ...rest } = ended;
      const expected = {
        event: 'ended',
        key: 'a',
        pid: claimed.pid,
        code: 0,
        signal: null,
        reason: null,
        claimed: true,
      };
      assert.deepEqual(rest, expected);
      assert.ok(cpu_user_ms >= 0 && cpu_system_ms >= 0 && max_rss_bytes > 100_000, JSON.stringify(ended));
      assert.equal(logOf(zygote, 'a'), 'hello\n');
      const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      const [claim, ...facts] = runFileOf(zygote, 'a');
      assert.match(claim ?? '', new RegExp(`^claim 1 ${claimed.pid} \\d+ ${bootId} \\d{13}$`));
      assert.deepEqual(facts, ['exit 0']);
    });

    test('its claim holds the start time of its process', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      assert.equal(runFileOf(zygote, 'a')[0]?.split(' ')[3], statOf(pid)[19]);
    });

    for (const code of [0, 1, 100, 255]) {
      test(`that ends with code ${code} has ended with that code`, async () => {
        await using zygote = start();
        const daemon = await Conversation.begin(zygote);
        assert.partialDeepStrictEqual(await daemon.run('a', programs.exit(code)), {
          code,
          signal: null,
          claimed: true,
        });
        assert.equal(runFileOf(zygote, 'a').at(-1), `exit ${code}`);
      });
    }

    test('appends progress and a result to its run file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      await daemon.run('a', programs.tell);
      assert.deepEqual(runFileOf(zygote, 'a').slice(1), ['progress 40 half way', 'result {"n":1}', 'exit 0']);
    });

    test('leads a session, blocks no signal and ignores none of ours', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.wait);
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      assert.equal(Number(statOf(pid)[3]), pid);
      assert.equal(signalSet(pid, 'SigBlk'), 0n);
      const ours = [1, 2, 15, 17].map((signal) => 1n << BigInt(signal - 1)).reduce((all, bit) => all | bit);
      assert.equal(signalSet(pid, 'SigIgn') & ours, 0n);
    });

    test('has none of the descriptors of its zygote', async () => {
      await using zygote = start(features.parks ? { config: { prefork: 3 } } : {});
      const daemon = await Conversation.serve(zygote);
      await until('children are parked', () => !features.parks || childrenOf(zygote.pid).length === 3);
      await daemon.run('a', programs.descriptors);
      const shared = logOf(zygote, 'a')
        .split('\n')
        .filter((target) => /^socket:|signalfd|children$/.test(target));
      assert.deepEqual(shared, []);
    });

    test('reads stdin, or the end of the file', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const stdin = `${'line of input\n'.repeat(20_000)}é\0end`;
      await daemon.run('a', programs.input, { stdin });
      assert.equal(logOf(zygote, 'a'), stdin);
      await daemon.run('b', programs.input);
      assert.equal(logOf(zygote, 'b'), '');
    });

    test('runs in cwd', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const cwd = join(zygote.folder, 'somewhere');
      mkdirSync(cwd);
      await daemon.run('a', programs.folder, { cwd });
      assert.equal(logOf(zygote, 'a').trim(), cwd);
    });

    test('whose cwd does not exist fails and says so', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      const { code } = await daemon.run('a', programs.folder, { cwd: '/no/such/folder' });
      assert.notEqual(code, 0);
      assert.ok(
        runFileOf(zygote, 'a').some((line) => /^error .*\/no\/such\/folder/.test(line)),
        runFileOf(zygote, 'a').join(),
      );
    });

    test('has env, and what it is, in its environment', async () => {
      await using zygote = start({
        config: { pool: 'web' },
        env: { INHERITED: 'from the pool', OTHER: 'pool' },
      });
      const daemon = await Conversation.begin(zygote);
      const env = { GREETING: 'good = day', OTHER: 'run', ROCKSY_KEY: 'forged' };
      const expected = {
        GREETING: 'good = day',
        INHERITED: 'from the pool',
        OTHER: 'run',
        ROCKSY_KEY: 'ROCKSY_KEY',
        ROCKSY_POOL: 'web',
        ROCKSY_RUN_FILE: join(zygote.runs, 'ROCKSY_RUN_FILE.run'),
      };
      for (const [variable, value] of Object.entries(expected)) {
        await daemon.run(variable, programs.variable(variable), { env });
        assert.equal(logOf(zygote, variable).trim(), value);
      }
    });

    test('writes to the log that it was given', async () => {
      await using zygote = start();
      const daemon = await Conversation.begin(zygote);
      writeFileSync(join(zygote.runs, 'shared'), 'before\n');
      await daemon.run('a', programs.hello, { log: 'shared' });
      assert.equal(readFileSync(join(zygote.runs, 'shared'), 'utf8'), 'before\nhello\n');
      assert.equal(existsSync(join(zygote.runs, 'a.log')), false);
    });

    test('may carry a request of a megabyte', async () => {
      await using zygote = start(features.parks ? { config: { prefork: 1 } } : {});
      const daemon = await Conversation.serve(zygote);
      const env = Object.fromEntries(
        Array.from({ length: 10 }, (_, index) => [`V${index}`, 'x'.repeat(100_000)]),
      );
      assert.equal((await daemon.run('a', programs.hello, { env })).code, 0);
      assert.equal(logOf(zygote, 'a'), 'hello\n');
    });

    test('outlives its zygote, and its exit code is in its run file', async () => {
      await using zygote = start();
      const gate = join(zygote.folder, 'gate');
      const daemon = await Conversation.begin(zygote);
      daemon.start('a', programs.gate(gate));
      const { pid } = await daemon.about('a', 'claimed');
      await ready(zygote, 'a');
      process.kill(zygote.pid, 'SIGKILL');
      await zygote.exit;
      assert.equal(isAlive(pid), true);
      writeFileSync(gate, '');
      await until('it is over', () => !isAlive(pid));
      assert.match(logOf(zygote, 'a'), /done/);
      await until('its code is on record', () => runFileOf(zygote, 'a').at(-1) === 'exit 0');
    });
  });
}
