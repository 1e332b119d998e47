import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Session, ZygoteUnderTest } from './zygote-under-test.ts';

/** ROCKSY_TEST_RUNS=10000 for the long way. */
const RUNS = Number(process.env.ROCKSY_TEST_RUNS ?? 1000);
const IN_FLIGHT = 16;
/** What the interpreter's own caches and garbage may come to. A leak of 1 KB a run shows with 10,000 runs. */
const ALLOWED_GROWTH_BYTES = 8 << 20;

test(`the memory and descriptors of ${RUNS} short runs stay flat`, { timeout: 600_000 }, async () => {
  await using zygote = new ZygoteUnderTest();
  const daemon = await zygote.session();
  await manyRuns(daemon, 'warm', RUNS / 4);
  const [memory, descriptors] = [anonymousBytes(zygote.pid), await descriptorCount(zygote)];
  await manyRuns(await zygote.session(), 'run', RUNS);
  assert.ok(
    anonymousBytes(zygote.pid) - memory < ALLOWED_GROWTH_BYTES,
    `${memory} → ${anonymousBytes(zygote.pid)}`,
  );
  assert.equal(await descriptorCount(zygote), descriptors);
});

async function manyRuns(daemon: Session, name: string, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const key = `${name}${next++}`;
      daemon.start(key, ['true'], { stdin: 'x'.repeat(1000), timeout_ms: 60_000 });
      await daemon.ended(key);
      daemon.send({ op: 'ack', key });
      daemon.forget(key);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

function anonymousBytes(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

async function descriptorCount(zygote: ZygoteUnderTest): Promise<number> {
  const session = await zygote.session();
  const hello = await session.next((event) => event.event === 'hello');
  return hello.event === 'hello' ? hello.descriptors.length : 0;
}
