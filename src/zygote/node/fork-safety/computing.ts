import assert from 'node:assert/strict';
import { setImmediate as immediate } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { FACTORIAL, WebAssembly } from './wasm.ts';
import { short, type Workload, workload } from './workload.ts';

export function primesBelow(limit: number): number {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let number = 2; number < limit; number++) {
    if (composite[number] === 1) continue;
    count++;
    for (let multiple = number * number; multiple < limit; multiple += number) composite[multiple] = 1;
  }
  return count;
}

/** A full collection of what nobody holds. */
async function collectGarbage(): Promise<void> {
  v8.setFlagsFromString('--expose-gc');
  const gc: () => void = vm.runInNewContext('gc');
  await immediate(); // what a WeakRef was asked for stays until the end of the turn
  gc();
  await immediate();
}

/** V8: its compilers, its collectors, its values. */
export const computing: readonly Workload[] = [
  workload('JSON of 50 MB', () => {
    const rows = Array.from({ length: 500_000 }, (_, id) => ({
      id,
      text: `row ${id}`,
      tags: ['a', 'b'],
      more: null,
    }));
    const padding = 'x'.repeat(30_000_000);
    const json = JSON.stringify({ rows, padding });
    assert.ok(json.length > 50_000_000);
    const back = JSON.parse(json) as { rows: typeof rows; padding: string };
    assert.equal(back.padding.length, padding.length);
    assert.deepEqual(back.rows.at(-1), rows.at(-1));
    assert.equal(back.rows.length, rows.length);
  }),
  workload('garbage, with many ArrayBuffers', () => {
    let kept: unknown[] = [];
    for (let round = 0; round < 100; round++) {
      kept = Array.from({ length: 5_000 }, (_, index) => ({ index, text: `text ${index}` }));
      for (let count = 0; count < 20; count++) kept.push(new Uint8Array(100_000).fill(round));
    }
    assert.equal((kept.at(-1) as Uint8Array)[99_999], 99);
    assert.deepEqual(kept[4_999], { index: 4_999, text: 'text 4999' });
  }),
  workload('maps and sets that grow and shrink', () => {
    const map = new Map<string, number>();
    for (let index = 0; index < 300_000; index++) {
      map.set(`key ${index}`, index);
      if (index >= 1_000) map.delete(`key ${index - 1_000}`);
    }
    assert.equal(
      [...map.values()].reduce((sum, each) => sum + each),
      299_499_500,
    );
  }),
  workload('long work of the CPU, in code that is optimised', () => {
    assert.equal(primesBelow(5_000_000), 348_513);
    let sum = 0;
    for (let index = 1; index < 20_000_000; index++) sum += (index % 7) / 8;
    assert.equal(sum, 7_499_999.625);
  }),
  workload('code that is optimised, and deoptimised', () => {
    const add = (a: unknown, b: unknown): unknown => (a as number) + (b as number);
    let sum = 0;
    for (let index = 0; index < 1_000_000; index++) sum = add(sum, 1) as number;
    assert.equal(add(add(sum, 'text'), 1.5), '1000000text1.5');
    for (let index = 0; index < 1_000_000; index++) sum = add(sum, 0.5) as number;
    assert.equal(sum, 1_500_000);
  }),
  short('WebAssembly', async () => {
    const compiled = await WebAssembly.compile(FACTORIAL);
    const { factorial } = (await WebAssembly.instantiate(compiled)).exports;
    assert.equal(factorial(20n), 2_432_902_008_176_640_000n);
    assert.equal(new WebAssembly.Instance(new WebAssembly.Module(FACTORIAL)).exports.factorial(5n), 120n);
  }),
  workload('WebAssembly, long enough to be optimised', async () => {
    const { factorial } = (await WebAssembly.instantiate(await WebAssembly.compile(FACTORIAL))).exports;
    for (let round = 0; round < 100_000; round++)
      assert.equal(factorial(20n) === 2_432_902_008_176_640_000n, true);
  }),
  workload('WeakRef and FinalizationRegistry', async () => {
    const finalized: string[] = [];
    const registry = new FinalizationRegistry((name: string) => finalized.push(name));
    const references = ['a', 'b', 'c'].map((name) => {
      const target = { name };
      registry.register(target, name);
      return new WeakRef(target);
    });
    await collectGarbage();
    assert.deepEqual(
      references.map((reference) => reference.deref()),
      [undefined, undefined, undefined],
    );
    assert.deepEqual(finalized.sort(), ['a', 'b', 'c']);
  }),
  workload('Intl', () => {
    const date = new Intl.DateTimeFormat('de-DE', {
      dateStyle: 'full',
      timeStyle: 'short',
      timeZone: 'Asia/Tokyo',
    });
    assert.equal(date.format(0), 'Donnerstag, 1. Januar 1970 um 09:00');
    assert.deepEqual(['z', 'ä', 'a'].sort(new Intl.Collator('sv').compare), ['a', 'z', 'ä']);
    assert.equal([...new Intl.Segmenter('en').segment('👩‍👩‍👧 é')].length, 3);
    assert.equal(new Intl.NumberFormat('en-IN').format(12_345_678.9), '1,23,45,678.9');
    process.env.TZ = 'America/New_York';
    assert.equal(new Date(0).getHours(), 19);
    process.env.TZ = 'UTC';
  }),
  short('structuredClone and v8.serialize', () => {
    const value = {
      map: new Map([[1, new Set(['a'])]]),
      at: new Date(0),
      bytes: new Uint8Array([1]),
      big: 2n ** 70n,
    };
    assert.deepEqual(structuredClone(value), value);
    assert.deepEqual(v8.deserialize(v8.serialize(value)), value);
    assert.throws(() => structuredClone(() => {}), { name: 'DataCloneError' });
  }),
  short('regular expressions', () => {
    const text = 'key=value; '.repeat(2_000);
    assert.equal([...text.matchAll(/(?<key>\w+)=(?<value>\w+)/gu)].length, 2_000);
    assert.equal(text.replaceAll(/(?<=k)e|a(?=l)/g, '_').slice(0, 9), 'k_y=v_lue');
  }),
  workload('BigInt', () => {
    let [a, b] = [0n, 1n];
    for (let step = 0; step < 20_000; step++) [a, b] = [b, a + b];
    assert.equal(String(a).length, 4_180);
  }),
  workload('v8.writeHeapSnapshot and heap statistics', async () => {
    let bytes = 0;
    for await (const chunk of v8.getHeapSnapshot()) bytes += (chunk as Buffer).length;
    assert.ok(bytes > 100_000);
    assert.ok(v8.getHeapStatistics().used_heap_size > 0);
  }),
];
