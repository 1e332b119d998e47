// A random series of operations does to the journal what it does to a Map.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type JsonValue, parseObject } from '../../wire/index.ts';
import type { StartSpec } from '../../zygote/index.ts';
import type { Phase, Run } from '../runs/index.ts';
import { aRun, keyOf } from './fixtures/testing.ts';
import { Journal, TOMBSTONE_MS } from './index.ts';

const KEYS = ['1', '12345678901234567890', 'a/b', 'é~', 'x'.repeat(255), 'plain_Key-1'];
const POOLS = ['web', 'mail'];
const STATES = ['queued', 'starting', 'running', 'ended', 'active', undefined] as const;

type Step =
  | { readonly step: 'accept'; readonly key: string; readonly pool: string; readonly spec: StartSpec }
  | { readonly step: 'record'; readonly key: string; readonly phase: Phase }
  | { readonly step: 'free'; readonly key: string; readonly tombstone: boolean }
  | { readonly step: 'expire'; readonly maxAgeMs: number; readonly maxCount: number }
  | { readonly step: 'pass'; readonly ms: number }
  | { readonly step: 'reopen' };

class Model {
  nowMs = TOMBSTONE_MS;
  #seq = 0;
  readonly runs = new Map<string, { run: Run; seq: number }>();
  readonly #tombstones = new Map<string, number>();

  accept(run: Run): string {
    const { key } = run.identity;
    if (this.runs.has(key)) return 'known';
    if ((this.#tombstones.get(key) ?? -1) > this.nowMs - TOMBSTONE_MS) return 'freed';
    this.runs.set(key, { run, seq: this.#seq++ });
    return 'accepted';
  }

  record(key: string, phase: Phase): string {
    const known = this.runs.get(key);
    if (known === undefined) return 'not_found';
    const before = known.run.phase.state;
    if (before === 'ended' || (before === 'running' && !['running', 'ended'].includes(phase.state)))
      return 'done';
    const { stdin, ...spec } = known.run.identity.spec;
    const kept = phase.state === 'ended' || stdin === undefined ? spec : { ...spec, stdin };
    this.runs.set(key, { ...known, run: { identity: { ...known.run.identity, spec: kept }, phase } });
    return 'done';
  }

  free(key: string, tombstone: boolean): boolean {
    if (this.runs.get(key)?.run.phase.state !== 'ended') return false;
    this.runs.delete(key);
    if (tombstone) this.#tombstones.set(key, this.nowMs);
    return true;
  }

  expire(maxAgeMs: number, maxCount: number): string[] {
    const endedMs = ({ run }: { run: Run }): number =>
      run.phase.state === 'ended' ? run.phase.outcome.endedMs : 0;
    const ended = [...this.runs.values()].filter(({ run }) => run.phase.state === 'ended');
    ended.sort((a, b) => endedMs(a) - endedMs(b) || a.seq - b.seq);
    const gone = ended.filter(
      (one, i) => endedMs(one) < this.nowMs - maxAgeMs || i < ended.length - maxCount,
    );
    for (const { run } of gone) this.runs.delete(run.identity.key);
    for (const [key, freedMs] of this.#tombstones) {
      if (freedMs <= this.nowMs - TOMBSTONE_MS) this.#tombstones.delete(key);
    }
    return gone.map(({ run }) => run.identity.file);
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }
}

/** JSON as it comes from the wire: numbers as they were written. */
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  fc.bigInt().map(String),
  fc
    .tuple(fc.bigInt({ min: 0n }), fc.nat())
    .map(([whole, part]) => `[-${whole}.${part}0e+7, {"a": ${whole}}]`),
);
const value = json.map((text): JsonValue => parseObject(`{"value":${text}}`).value ?? null);
const text = fc.string({ unit: 'binary' });
const key = fc.constantFrom(...KEYS);

const spec: fc.Arbitrary<StartSpec> = fc.record(
  {
    class: fc.string(),
    params: value,
    argv: fc.array(text, { maxLength: 3 }),
    env: fc.dictionary(fc.string(), text, { maxKeys: 2, noNullPrototype: true }),
    stdin: text,
    log: fc.constantFrom('a.log', 'b.log'),
    timeout_ms: fc.nat(),
  },
  { requiredKeys: [] },
);

const phase: fc.Arbitrary<Phase> = fc.oneof(
  fc.constant({ state: 'queued' as const }),
  fc.record({ state: fc.constant('starting' as const), generation: fc.nat() }),
  fc.record({
    state: fc.constant('running' as const),
    generation: fc.nat(),
    pid: fc.nat(),
    startedMs: fc.nat(),
  }),
  fc.record({
    state: fc.constant('ended' as const),
    generation: fc.option(fc.nat()),
    pid: fc.option(fc.nat()),
    startedMs: fc.option(fc.nat()),
    outcome: fc.record({
      name: fc.constantFrom('succeeded', 'failed', 'killed', 'timed_out', 'cancelled', 'lost'),
      code: fc.option(fc.nat({ max: 255 })),
      signal: fc.option(fc.nat({ max: 64 })),
      error: fc.option(text),
      result: value,
      endedMs: fc.nat({ max: 5 }).map((n) => TOMBSTONE_MS + n * 1000),
      usage: fc.option(
        fc.record({ cpuUserMs: fc.nat(), cpuSystemMs: fc.nat(), maxRssBytes: fc.maxSafeNat() }),
      ),
    }),
    progress: fc.option(fc.record({ percent: fc.option(fc.nat({ max: 100 })), text })),
  }),
);

const steps: fc.Arbitrary<Step[][]> = fc.array(
  fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          step: fc.constant('accept' as const),
          key,
          pool: fc.constantFrom(...POOLS),
          spec,
        }),
      },
      { weight: 6, arbitrary: fc.record({ step: fc.constant('record' as const), key, phase }) },
      {
        weight: 2,
        arbitrary: fc.record({ step: fc.constant('free' as const), key, tombstone: fc.boolean() }),
      },
      fc.record({
        step: fc.constant('expire' as const),
        maxAgeMs: fc.nat({ max: 5000 }),
        maxCount: fc.nat({ max: 4 }),
      }),
      fc.record({ step: fc.constant('pass' as const), ms: fc.constantFrom(0, 1000, TOMBSTONE_MS / 2) }),
      fc.constant({ step: 'reopen' as const }),
    ),
    { minLength: 1, maxLength: 8 },
  ),
  { maxLength: 12 },
);

async function say(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (said) => said ?? 'done',
    (error: { code: string }) => error.code,
  );
}

/** Does the step to both, without waiting for the journal. Returns what the two say to it. */
function take(
  step: Exclude<Step, { step: 'reopen' }>,
  journal: Journal,
  model: Model,
): [Promise<unknown>, unknown] {
  switch (step.step) {
    case 'accept': {
      const run = aRun(step.key, { pool: step.pool, spec: step.spec, queuedMs: model.nowMs });
      return [say(journal.accept(run)), model.accept(run)];
    }
    case 'record':
      return [say(journal.record(aRun(step.key, { phase: step.phase }))), model.record(step.key, step.phase)];
    case 'free':
      return [say(journal.free(keyOf(step.key), step)), model.free(step.key, step.tombstone)];
    case 'expire': {
      const removed = journal.expire({ ...step, nowMs: model.nowMs });
      return [
        say(removed.then((all) => all.map(({ file }) => file).sort())),
        model.expire(step.maxAgeMs, step.maxCount).sort(),
      ];
    }
    case 'pass':
      model.nowMs += step.ms;
      return [Promise.resolve(null), null];
  }
}

/** Negative zero and the like: what JSON makes of a run is what both must have. */
const plain = (run: Run): JsonValue => parseObject(JSON.stringify({ run })).run ?? null;
const withoutStdin = ({ identity, phase }: Run): Run => {
  const { stdin, ...rest } = identity.spec;
  return { identity: { ...identity, spec: rest }, phase };
};

function compare(journal: Journal, model: Model): void {
  const newestFirst = [...model.runs.values()].sort((a, b) => b.seq - a.seq).map(({ run }) => run);
  for (const name of KEYS) {
    const ours = model.runs.get(name)?.run;
    const theirs = journal.get(keyOf(name));
    assert.deepEqual(
      theirs === undefined ? undefined : plain(theirs),
      ours === undefined ? undefined : plain(ours),
    );
  }
  for (const state of STATES) {
    for (const pool of [...POOLS, undefined]) {
      const all: Run[] = [];
      let before: string | undefined;
      do {
        const page = journal.list({ state, pool, before, limit: 2 });
        all.push(...page.runs);
        before = page.next ?? undefined;
      } while (before !== undefined);
      const expected = newestFirst.filter(
        ({ identity, phase }) =>
          (pool === undefined || identity.pool === pool) &&
          (state === undefined || phase.state === state || (state === 'active' && phase.state !== 'ended')),
      );
      assert.deepEqual(all.map(plain), expected.map(withoutStdin).map(plain));
    }
  }
  const unfinished = newestFirst.filter(({ phase }) => phase.state !== 'ended').reverse();
  assert.deepEqual(journal.unfinished().map(plain), unfinished.map(plain));
  const { tombstones, ...counts } = journal.counts();
  assert.equal(tombstones, model.tombstones);
  assert.equal(counts.queued + counts.starting + counts.running + counts.ended, newestFirst.length);
}

test('a random series of operations does to the journal what it does to a Map', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (turns) => {
      const dir = mkdtempSync(join(tmpdir(), 'rocksy-journal-'));
      const model = new Model();
      const open = (): Promise<Journal> => Journal.open({ dir, log: () => {}, now: () => model.nowMs });
      let journal = await open();
      try {
        for (const turn of turns) {
          const said: [Promise<unknown>, unknown][] = [];
          for (const step of turn) {
            if (step.step === 'reopen') {
              await journal.close();
              journal = await open();
            } else {
              said.push(take(step, journal, model));
              // Its second half is asked for only when its first is committed, and would mix with what comes after.
              if (step.step === 'expire') await said.at(-1)?.[0];
            }
          }
          assert.deepEqual(
            await Promise.all(said.map(([theirs]) => theirs)),
            said.map(([, ours]) => ours),
          );
          compare(journal, model);
        }
      } finally {
        await journal.close();
        rmSync(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});
