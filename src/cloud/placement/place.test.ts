import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type HostView, place, type Wish } from './index.ts';

const wish: Wish = { pool: 'web', labels: {}, cost: 1, boundTo: null, perHost: null };

function host(id: string, more: Partial<HostView> = {}): HostView {
  return {
    id,
    name: id,
    contact: 'connected',
    cordoned: false,
    draining: false,
    labels: {},
    pools: new Set(['web']),
    capacity: 10,
    load: 0,
    ofJob: 0,
    ...more,
  };
}

test('the host that would carry the smallest share of its capacity is chosen', () => {
  const hosts = [host('a', { load: 2 }), host('b', { load: 3, capacity: 20 }), host('c', { load: 3 })];
  assert.deepEqual(place(wish, hosts, 0), { host: 'b', refusals: [] });
});

test('each host that can not have it says why', () => {
  const hosts = [
    host('lost', { contact: 'lost' }),
    host('silent', { contact: 'silent' }),
    host('cordoned', { cordoned: true }),
    host('draining', { draining: true }),
    host('pool', { pools: new Set(['os']) }),
    host('labels', { labels: { zone: 'b' } }),
    host('job', { labels: { zone: 'a' }, ofJob: 2 }),
    host('full', { labels: { zone: 'a' }, load: 10 }),
  ];
  assert.deepEqual(place({ ...wish, labels: { zone: 'a' }, perHost: 2 }, hosts, 0), {
    host: null,
    refusals: [
      { host: 'lost', reason: 'lost' },
      { host: 'silent', reason: 'silent' },
      { host: 'cordoned', reason: 'cordoned' },
      { host: 'draining', reason: 'draining' },
      { host: 'pool', reason: 'no-such-pool' },
      { host: 'labels', reason: 'labels' },
      { host: 'job', reason: 'job-is-there' },
      { host: 'full', reason: 'full' },
    ],
  });
});

test('what is bound to a host goes to no other, and there also when it is cordoned meanwhile', () => {
  const hosts = [host('a'), host('b', { cordoned: true, draining: true })];
  assert.equal(place({ ...wish, boundTo: 'b' }, hosts, 0).host, 'b');
  assert.deepEqual(place({ ...wish, boundTo: 'c' }, hosts, 0).host, null);
});

test('a run that is dearer than a whole host gets one that has nothing else', () => {
  const dear = { ...wish, cost: 50 };
  assert.equal(place(dear, [host('a', { load: 1 }), host('b')], 0).host, 'b');
  assert.equal(place(dear, [host('a', { load: 1 })], 0).host, null);
});

test('of equal hosts chance decides, and reaches each of them', () => {
  const hosts = ['a', 'b', 'c'].map((id) => host(id));
  const chosen = [0, 0.4, 0.99].map((random) => place(wish, hosts, random).host);
  assert.deepEqual(chosen, ['a', 'b', 'c']);
});

test('any number of equal runs is spread by capacity, to within one run', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }),
      fc.nat(200),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (capacities, wanted, random) => {
        const whole = capacities.reduce((sum, capacity) => sum + capacity, 0);
        const count = Math.min(wanted, whole);
        const hosts = capacities.map((capacity, i) => ({ ...host(String(i)), capacity, load: 0 as number }));
        for (let i = 0; i < count; i++) {
          const chosen = hosts.find(({ id }) => id === place(wish, hosts, random).host);
          assert.ok(chosen !== undefined, 'nothing is refused while there is room');
          chosen.load++;
        }
        for (const a of hosts) {
          // Nobody could have been given one run less in favour of somebody who would carry less with one more.
          for (const b of hosts) assert.ok(a.load / a.capacity <= (b.load + 1) / b.capacity + 1e-9);
        }
      },
    ),
  );
});
