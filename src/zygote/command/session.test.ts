import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session, ZygoteUnderTest } from './zygote-under-test.ts';

test('the new session is told of every run that the older one asked for, and no other ever starts', async () => {
  await using zygote = new ZygoteUnderTest();
  await zygote.session();
  for (let round = 0; round < 20; round++) {
    const old = await Session.open(zygote.socket);
    await old.hello(100 + round * 2);
    const next = await Session.open(zygote.socket);
    // While the zygote stands still, the older session's requests and the newer one's hello arrive together.
    process.kill(zygote.pid, 'SIGSTOP');
    const keys = Array.from({ length: 20 }, (_, index) => `r${round}-${index}`);
    next.send({ op: 'hello', id: 7, version: 1, session: 101 + round * 2 });
    for (const key of keys) old.start(key, ['true']);
    process.kill(zygote.pid, 'SIGCONT');
    await next.next((event) => event.event === 'hello');
    const told = new Set(
      next.events.flatMap((event) => (event.event === 'hello' || !('key' in event) ? [] : [event.key])),
    );
    await old.closed;
    await Promise.all([...told].map((key) => next.ended(key)));
    next.send(...[...told].map((key) => ({ op: 'ack', key })));
    assert.ok(
      keys.every((key) => told.has(key)),
      `${told.size} of ${keys.length}`,
    );
  }
});

test('the last requests of a daemon that goes at once are carried out', async () => {
  await using zygote = new ZygoteUnderTest();
  const first = await zygote.session();
  first.start('a', ['sh', '-c', 'exit 3']);
  first.socket.destroySoon();
  await first.closed;
  const second = await zygote.session();
  assert.equal((await second.ended('a')).code, 3);
});

test('a daemon that was away is told all that it has missed', async () => {
  await using zygote = new ZygoteUnderTest();
  const first = await zygote.session();
  first.start('runs', ['sleep', '1000']);
  first.start('ends', ['sh', '-c', 'exit 9']);
  await first.about('runs', 'claimed');
  first.socket.destroy();
  await first.closed;
  const watching = await zygote.session();
  await watching.ended('ends');
  const second = await zygote.session();
  await watching.closed;
  const [runs, ends, hello] = [
    await second.about('runs', 'claimed'),
    await second.ended('ends'),
    await second.next((event) => event.event === 'hello'),
  ];
  assert.equal(ends.code, 9);
  assert.ok(second.events.indexOf(hello) > second.events.indexOf(runs));
  assert.ok(second.events.indexOf(hello) > second.events.indexOf(ends));
});
